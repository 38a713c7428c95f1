"""Finding and opening editors in Blender's windows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import bpy

from . import timers


def shown(context: bpy.types.Context, kind: str) -> bpy.types.Area | None:
    """An editor of a kind, e.g. `IMAGE_EDITOR`, that is open in some window; this window's come first."""
    windows = sorted(context.window_manager.windows, key=lambda window: window != context.window)
    return next(
        (area for window in windows for area in window.screen.areas if area.ui_type == kind or area.type == kind), None
    )


def open_window(context: bpy.types.Context, kind: str) -> bpy.types.Area:
    """A new window that holds one editor."""
    bpy.ops.wm.window_new()
    area = context.window_manager.windows[-1].screen.areas[0]
    area.type = kind
    return area


def image_editor(context: bpy.types.Context) -> bpy.types.Area:
    """An image editor: one that is open, else half of the 3D view, else a new window."""
    area = shown(context, "IMAGE_EDITOR")
    if area is not None:
        return area
    view = context.area if context.area and context.area.type == "VIEW_3D" else shown(context, "VIEW_3D")
    return split(context, view, "IMAGE_EDITOR") if view else open_window(context, "IMAGE_EDITOR")


def paint_on(area: bpy.types.Area, image: bpy.types.Image) -> bool:
    """Show an image in an image editor for painting, whole; returns whether it was not being painted on before."""
    space = area.spaces.active
    if space.image == image and space.ui_mode == "PAINT":
        return False
    space.image = image
    space.ui_mode = "PAINT"
    with inside(area):
        bpy.ops.image.view_all(fit_view=True)
    return True


def at(key: int) -> bpy.types.Area | None:
    """The area with this address, which stays the same from tick to tick; None once it is closed."""
    areas = (area for window in bpy.context.window_manager.windows for area in window.screen.areas)
    return next((area for area in areas if area.as_pointer() == key), None)


@contextmanager
def inside(area: bpy.types.Area) -> Iterator[None]:
    """Run operators as if called from the main region of an editor."""
    window = next(w for w in bpy.context.window_manager.windows if area in list(w.screen.areas))
    region = next(region for region in area.regions if region.type == "WINDOW")
    with bpy.context.temp_override(window=window, area=area, region=region):
        yield


def split(context: bpy.types.Context, area: bpy.types.Area, kind: str) -> bpy.types.Area:
    """Give half of an area to a new editor of a kind."""
    window = next(w for w in context.window_manager.windows if area in list(w.screen.areas))
    before = set(window.screen.areas)
    with inside(area):
        bpy.ops.screen.area_split(direction="VERTICAL", factor=0.5)
    made = next(iter(set(window.screen.areas) - before))
    made.type = kind
    return made


def redraw() -> None:
    """Let every editor that shows Omagen draw itself again."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type in {"VIEW_3D", "IMAGE_EDITOR", "PREFERENCES"}:
                for region in area.regions:
                    if region.type in {"UI", "WINDOW"} and (region.type == "UI" or area.type == "PREFERENCES"):
                        region.tag_redraw()


def show_sidebar(area: bpy.types.Area | None, category: str) -> None:
    """Open an editor's sidebar at a tab, as soon as it has been drawn, which is when its tabs come to be."""
    if area is None:
        return
    area.spaces.active.show_region_ui = True
    key = area.as_pointer()
    if not _choose_tab(key, category):
        timers.retry(lambda: _choose_tab(key, category))


def _choose_tab(key: int, category: str) -> bool:
    """Whether the tab of the area with this address is chosen; True also where the area is gone."""
    area = at(key)
    sidebar = next((region for region in area.regions if region.type == "UI"), None) if area else None
    if area is None or sidebar is None:
        return True
    try:
        sidebar.active_panel_category = category
    except (AttributeError, TypeError):  # read-only until tabs are there, and an unknown word until ours is
        area.tag_redraw()
        return False
    area.tag_redraw()
    return True
