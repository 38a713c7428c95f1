"""Finding and opening editors in Blender's windows."""

from __future__ import annotations

import bpy


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


def split(context: bpy.types.Context, area: bpy.types.Area, kind: str) -> bpy.types.Area:
    """Give half of an area to a new editor of a kind."""
    window = next(w for w in context.window_manager.windows if area in list(w.screen.areas))
    before = set(window.screen.areas)
    with context.temp_override(window=window, area=area, region=area.regions[-1]):
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
    """Open an editor's sidebar at a tab, which must have been drawn before to be chosen."""
    if area is None:
        return
    area.spaces.active.show_region_ui = True
    sidebar = next(region for region in area.regions if region.type == "UI")
    if "active_panel_category" in sidebar.bl_rna.properties:
        try:
            sidebar.active_panel_category = category
        except TypeError:
            area.tag_redraw()
