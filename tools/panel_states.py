"""Runs in Blender's window for `panel_pictures.py`: brings the panel into the states of the pictures and takes them.

`ui-screenshot.sh` calls what `steps` yields, one after the other, with Blender's event loop running between them.
"""

# pyright: reportMissingImports=false

from __future__ import annotations

import importlib
import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from mathutils import Euler, Vector

PACKAGE = "bl_ext.user_default.omagen"
FOLDER = Path(os.environ["OMAGEN_PICTURES"])
ASSETS = Path(os.environ["OMAGEN_ASSETS"])
PATIENCE_S = 300
MESH_HEADER, OMAGE_HEADER, FIRST_HEADER = (1055, 483), (1055, 512), (1055, 105)
"""Where these panels' headers are in a window of 1600 x 1000 at scale 1.1, while nothing has been done"""

Step = Callable[[], Any]


def part(name: str) -> Any:
    return importlib.import_module(f"{PACKAGE}.addon.{name}")


def runtime() -> Any:
    return part("runtime").current()


def area(kind: str) -> bpy.types.Area:
    return next(a for a in bpy.context.window_manager.windows[0].screen.areas if a.type == kind)


def box(thing: Any) -> tuple[int, int, int, int]:
    """left, top, right, bottom of an area or region, in the picture's pixels"""
    height = bpy.context.window_manager.windows[0].height
    return thing.x, height - thing.y - thing.height, thing.x + thing.width, height - thing.y


def photograph(name: str) -> None:
    """The whole window, and where in it the sidebar and the editors are."""
    sidebar = next(region for region in area("VIEW_3D").regions if region.type == "UI")
    boxes = {"sidebar": box(sidebar)} | {a.type: box(a) for a in bpy.context.window_manager.windows[0].screen.areas}
    (FOLDER / f"{name}.json").write_text(json.dumps(boxes))
    subprocess.run(["import", "-window", "root", str(FOLDER / f"{name}.png")], check=True)


def rest(count: int = 4) -> Iterator[Step]:
    for _ in range(count):
        yield bpy.context.view_layer.update


def until(condition: Callable[[], bool]) -> Iterator[Step]:
    end = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError("the panel did not come into this state")
        yield bpy.context.view_layer.update


def ended() -> bool:
    return all(task.ended for task in runtime().tasks)


def alone(place: tuple[int, int]) -> Iterator[Step]:
    """Open the panel whose header is at `place` and close the others: a click with Ctrl."""
    window = bpy.context.window_manager.windows[0]
    for kind, value in (("MOUSEMOVE", "NOTHING"), ("LEFTMOUSE", "PRESS"), ("LEFTMOUSE", "RELEASE")):
        yield lambda kind=kind, value=value: window.event_simulate(
            type=kind, value=value, x=place[0], y=window.height - place[1], ctrl=True
        )


def omage() -> Iterator[Step]:
    bpy.ops.mesh.primitive_monkey_add()
    obj = bpy.context.object
    material = bpy.data.materials.new("Clay")
    material.use_nodes = True
    shader = next(node for node in material.node_tree.nodes if node.type == "BSDF_PRINCIPLED")
    shader.inputs["Base Color"].default_value = material.diffuse_color = (0.8, 0.25, 0.08, 1)
    obj.data.materials.append(material)
    space = area("VIEW_3D").spaces.active
    view = space.region_3d
    view.view_distance = 7
    view.view_rotation = Euler((1.25, 0, 0.5)).to_quaternion()
    view.view_location = view.view_rotation @ Vector((0.9, -0.4, 0))  # beside the sidebar
    space.shading.color_type = "TEXTURE"
    yield from alone(OMAGE_HEADER)
    yield from rest()
    yield lambda: photograph("omage-before")
    bpy.ops.omagen.omage_encode("INVOKE_DEFAULT", parameters="resolution=512")
    yield from rest()
    yield lambda: photograph("omage-running")
    yield from until(ended)
    geometry = obj.omage.geometry
    bpy.ops.omagen.omage_show("INVOKE_DEFAULT", image=geometry.name)
    area("IMAGE_EDITOR").spaces.active.show_region_asset_shelf = False
    yield from rest()
    yield lambda: photograph("omage-encoded")
    draw_horn(geometry)
    paint_stripes(geometry.omage.albedo)
    bpy.ops.omagen.omage_decode("INVOKE_DEFAULT")
    yield from until(ended)
    area("IMAGE_EDITOR").spaces.active.image = geometry
    yield from rest()
    yield lambda: photograph("omage-decoded")
    bpy.context.window_manager.omagen_resolution = 64
    yield from until(lambda: obj.omage.resolution == 64 and ended())
    yield from rest()
    yield lambda: photograph("omage-slider")
    bpy.ops.ed.undo()
    yield from rest()
    yield lambda: photograph("omage-undone")
    bpy.ops.omagen.omage_encode("INVOKE_DEFAULT", parameters="resolution=4096")
    yield from rest()
    bpy.ops.omagen.cancel()
    yield from until(ended)
    yield from rest()
    yield lambda: photograph("omage-cancelled")
    geometry = bpy.data.objects["Suzanne"].omage.geometry
    geometry.pixels.foreach_set(np.zeros(geometry.size[0] * geometry.size[1] * 4, np.float32))
    geometry.update()
    bpy.ops.omagen.omage_decode("INVOKE_DEFAULT")
    yield from until(ended)
    yield from rest()
    yield lambda: photograph("omage-failed")


def draw_horn(geometry: bpy.types.Image) -> None:
    """What a soft brush would do that paints with a blue: the highest point of the surface is pulled up."""
    values = pixels(geometry)
    inside = values[..., 3] > 0.5
    top = np.where(inside, values[..., 2], 0)
    distance = np.linalg.norm(values[..., :3] - values[np.unravel_index(top.argmax(), top.shape)][:3], axis=-1)
    values[..., 2] += np.where(inside, 0.25 * np.exp(-((distance / 0.07) ** 2)), 0)
    write(geometry, values)


def paint_stripes(albedo: bpy.types.Image) -> None:
    values = pixels(albedo)
    rows = np.arange(len(values))
    values[rows // 24 % 3 == 0] = (0.95, 0.85, 0.3, 1)
    write(albedo, values)


def pixels(image: bpy.types.Image) -> np.ndarray:
    values = np.empty((image.size[1], image.size[0], 4), np.float32)
    image.pixels.foreach_get(values.reshape(-1))
    return values


def write(image: bpy.types.Image, values: np.ndarray) -> None:
    image.pixels.foreach_set(values.clip(0, 1).reshape(-1))
    image.update()


def mesh() -> Iterator[Step]:
    yield from alone(MESH_HEADER)
    bpy.ops.mesh.primitive_monkey_add()
    obj = bpy.context.object
    obj.modifiers.new("Subdivision", "SUBSURF").levels = 3
    bpy.ops.object.modifier_apply(modifier="Subdivision")
    bpy.ops.object.shade_smooth()
    space = area("VIEW_3D").spaces.active
    view = space.region_3d
    view.view_perspective = "ORTHO"
    view.view_distance = 5
    view.view_rotation = Euler((1.4, 0, 0.35)).to_quaternion()
    view.view_location = view.view_rotation @ Vector((0.55, -0.2, 0))  # beside the sidebar
    bpy.ops.omagen.mesh_quality("INVOKE_DEFAULT")
    yield from until(ended)
    yield from shown("finish", "mesh-finish")
    yield from shown("refine", "mesh-refine")
    yield from shown("texture", "mesh-texture")
    bpy.context.scene.omagen.mesh_engine = "finish"
    bpy.ops.omagen.mesh_work("INVOKE_DEFAULT", engine="finish", parameters="faces=4000 texture=512", target="NEW")
    yield from rest()
    yield lambda: photograph("mesh-running")
    yield from until(ended)
    yield from rest()
    yield lambda: photograph("mesh-finished")
    bpy.ops.object.delete()
    obj.hide_set(False)
    bpy.context.view_layer.objects.active = obj
    obj.select_set(True)
    bpy.context.scene.omagen.mesh_engine = "refine"
    with part("editors").inside(area("VIEW_3D")):
        bpy.ops.omagen.view_normals("INVOKE_DEFAULT", height=768)
    yield from until(ended)
    yield from rest()
    image = area("IMAGE_EDITOR").spaces.active.image
    area("IMAGE_EDITOR").spaces.active.show_region_asset_shelf = False
    paint_scales(image)
    yield from rest()
    yield lambda: photograph("mesh-painted")
    bpy.ops.omagen.view_apply("INVOKE_DEFAULT", image=image.name, target="REPLACE")
    yield from until(ended)
    yield from rest()
    yield lambda: photograph("mesh-applied")
    for kind in ("IMAGE_EDITOR",):
        with bpy.context.temp_override(window=bpy.context.window_manager.windows[0], area=area(kind)):
            bpy.ops.screen.area_close()
    yield from rest()
    yield from alone(MESH_HEADER)
    bpy.ops.object.select_all(action="SELECT")
    bpy.ops.object.delete()
    for leftover in tuple(bpy.data.objects):
        bpy.data.objects.remove(leftover)


def shown(engine: str, name: str) -> Iterator[Step]:
    """A photograph of the panel with an engine's settings."""
    bpy.context.scene.omagen.mesh_engine = engine
    part("editors").redraw()
    yield from rest()
    yield lambda: photograph(name)


def paint_scales(image: bpy.types.Image) -> None:
    """What a brush with the colours of a dome would leave: rows of scales over the forehead."""
    values = pixels(image)
    height, width = values.shape[:2]
    inside = values[..., 3] > 0.5
    rows, columns = np.nonzero(inside)
    top, middle = rows.max(), (columns.min() + columns.max()) / 2
    radius = height * 0.03
    y, x = np.mgrid[:height, :width]
    normal = values[..., :3] * 2 - 1
    for row in range(5):
        for column in range(-3, 4):
            centre = (middle + (2 * column + row % 2) * radius, top - (1.5 + 1.8 * row) * radius)
            dx, dy = (x - centre[0]) / radius, (y - centre[1]) / radius
            far = np.hypot(dx, dy)
            dome = inside & (far < 1)
            lean = np.stack([dx, dy, 0 * dx], axis=-1) * np.sin(np.pi * np.minimum(far, 1))[..., None]
            normal[dome] += 1.2 * lean[dome]
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True).clip(1e-6)
    values[inside, :3] = normal[inside] * 0.5 + 0.5
    write(image, values)


def generate() -> Iterator[Step]:
    for job in list(runtime().jobs):
        bpy.ops.omagen.job_delete("EXEC_DEFAULT", job=job)
        yield from rest(2)
    bpy.ops.object.select_all(action="SELECT")
    bpy.ops.object.delete()
    settings = bpy.context.scene.omagen
    yield from alone(FIRST_HEADER)
    settings.image = bpy.data.images.load(str(ASSETS / "images" / "robot.png"))
    yield from rest()
    yield lambda: photograph("ready")
    settings.image = bpy.data.images.load(str(ASSETS / "images" / "coffee_cup.jpg"))
    bpy.ops.omagen.cutout("INVOKE_DEFAULT")
    yield from until(ended)
    yield from rest()
    yield lambda: photograph("cut-out")
    settings.image = bpy.data.images.load(str(ASSETS / "malformed" / "all_white.png"))
    bpy.ops.omagen.generate("INVOKE_DEFAULT")
    yield from until(ended)
    yield from rest()
    yield lambda: photograph("failed")
    settings.image = bpy.data.images.load(str(ASSETS / "images" / "dog_photo.jpg"))
    bpy.ops.omagen.generate("INVOKE_DEFAULT")
    yield from until(lambda: bool(runtime().active and runtime().active.fraction > 0.3) or ended())
    yield lambda: photograph("running")
    yield from until(ended)
    settings.image = bpy.data.images["robot.png"]
    bpy.ops.omagen.generate("INVOKE_DEFAULT")
    yield from until(ended)
    yield from rest()
    yield lambda: photograph("done")


def everything() -> Iterator[Step]:
    bpy.ops.object.select_all(action="SELECT")
    bpy.ops.object.delete()
    yield from until(lambda: bool(runtime().engines))
    yield from rest()
    yield from mesh()
    yield from omage()
    yield from generate()


steps = everything()
