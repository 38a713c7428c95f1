"""A picture of an object as a catalogue would show it: a lit backdrop, a three-quarter view, soft shadows."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Final

import bpy
import numpy as np
from mathutils import Matrix, Vector

VIEW: Final = Vector((0.42, -1.0, 0.27)).normalized()
"""Where the camera stands as seen from the object, whose front is -Y."""
LENS_MM: Final = 85.0
FILL: Final = 0.8
"""How much of the picture's height or width the object takes."""
BACKDROP_COLOR: Final = (0.6, 0.62, 0.65, 1.0)


def compose(scene: bpy.types.Scene, obj: bpy.types.Object) -> None:
    """Add camera, lights and backdrop around an object, which stays where it is; the camera becomes the scene's."""
    low, high = _bounds(obj)
    centre, radius = (low + high) / 2, max((high - low).length / 2, 1e-4)
    _add_camera(scene, obj, centre, radius)
    floor = Vector((centre.x, centre.y, low.z))
    _add_backdrop(scene, floor, radius)
    _add_light(scene, "Key", centre, Vector((-1.1, -1.0, 1.5)), radius, energy=26.0, size=2.2)
    _add_light(scene, "Fill", centre, Vector((1.6, -0.9, 0.5)), radius, energy=6.0, size=3.0)
    _add_light(scene, "Rim", centre, Vector((0.9, 1.5, 1.3)), radius, energy=19.0, size=1.4)
    _light_world(scene)


def render(scene: bpy.types.Scene, path: Path, resolution: int, samples: int) -> None:
    """Render the scene's camera into a square PNG file."""
    scene.render.engine = "CYCLES"
    scene.cycles.device = "CPU"
    scene.cycles.samples = samples
    scene.cycles.use_adaptive_sampling = True
    scene.cycles.adaptive_threshold = 0.02
    scene.cycles.max_bounces = 6
    scene.cycles.use_denoising = False
    scene.render.resolution_x = scene.render.resolution_y = resolution
    scene.render.resolution_percentage = 100
    scene.render.image_settings.file_format = "PNG"
    scene.render.filepath = str(path)
    scene.view_settings.view_transform = "Standard"  # shows the picture's own colours; AgX fades bright ones
    scene.view_settings.look = "None"
    _try_denoising(lambda: bpy.ops.render.render(write_still=True, scene=scene.name), scene)


def _try_denoising(draw: Callable[[], object], scene: bpy.types.Scene) -> None:
    """Render denoised; builds without a denoiser refuse, then render as it is."""
    scene.cycles.use_denoising = True
    try:
        draw()
    except RuntimeError as error:
        if "denois" not in str(error).lower():
            raise
        scene.cycles.use_denoising = False
        draw()


def _bounds(obj: bpy.types.Object) -> tuple[Vector, Vector]:
    bpy.context.view_layer.update()
    corners = np.array([obj.matrix_world @ Vector(corner) for corner in obj.bound_box])
    return Vector(corners.min(axis=0)), Vector(corners.max(axis=0))


def _add_camera(scene: bpy.types.Scene, obj: bpy.types.Object, centre: Vector, radius: float) -> None:
    data = bpy.data.cameras.new("Product Shot")
    data.lens = LENS_MM
    data.clip_start, data.clip_end = radius / 100, radius * 1000
    camera = bpy.data.objects.new("Product Shot", data)
    scene.collection.objects.link(camera)
    camera.matrix_world = _looking_at(centre, VIEW)
    axes = np.array(camera.matrix_world.to_3x3())
    vertices = np.empty(len(obj.data.vertices) * 3, np.float32)
    obj.data.attributes["position"].data.foreach_get("vector", vertices)
    world = np.array(obj.matrix_world)
    seen = (vertices.reshape(-1, 3) @ world[:3, :3].T + world[:3, 3] - np.array(centre)) @ axes
    middle = (seen[:, :2].max(axis=0) + seen[:, :2].min(axis=0)) / 2
    slope = math.tan(data.angle / 2) * FILL
    distance = float((np.abs(seen[:, :2] - middle).max(axis=1) / slope + seen[:, 2]).max())
    aim = axes @ np.array([*middle, distance])
    camera.matrix_world = Matrix.Translation(centre + Vector(aim)) @ camera.matrix_world.to_3x3().to_4x4()
    scene.camera = camera


def _looking_at(centre: Vector, direction: Vector) -> Matrix:
    """A pose at `centre` whose view goes along -`direction`, upright."""
    return Matrix.Translation(centre) @ direction.to_track_quat("Z", "Y").to_matrix().to_4x4()


def _add_backdrop(scene: bpy.types.Scene, floor: Vector, radius: float) -> None:
    """A floor that bends up into a wall behind the object, as in a photographer's studio."""
    reach, bend, height = 14 * radius, 4 * radius, 22 * radius
    angles = np.linspace(0, math.pi / 2, 24)
    profile = [(-reach, 0.0), *((reach / 2 + bend * math.sin(a), bend * (1 - math.cos(a))) for a in angles)]
    profile.append((reach / 2 + bend, height))
    vertices = [(x, y, z) for y, z in profile for x in (-reach * 1.6, reach * 1.6)]
    faces = [(2 * i, 2 * i + 1, 2 * i + 3, 2 * i + 2) for i in range(len(profile) - 1)]
    mesh = bpy.data.meshes.new("Backdrop")
    mesh.from_pydata(vertices, [], faces)
    mesh.polygons.foreach_set("use_smooth", [True] * len(faces))
    material = bpy.data.materials.new("Backdrop")
    if bpy.app.version < (5, 0, 0):
        material.use_nodes = True
    shader = next(node for node in material.node_tree.nodes if node.type == "BSDF_PRINCIPLED")
    shader.inputs["Base Color"].default_value = BACKDROP_COLOR
    shader.inputs["Roughness"].default_value = 0.9
    mesh.materials.append(material)
    backdrop = bpy.data.objects.new("Backdrop", mesh)
    backdrop.location = floor
    backdrop.rotation_euler.z = math.atan2(VIEW.x, -VIEW.y)
    scene.collection.objects.link(backdrop)


def _add_light(
    scene: bpy.types.Scene, name: str, centre: Vector, direction: Vector, radius: float, energy: float, size: float
) -> None:
    """An area light whose power grows with the object, so that all are lit alike. `energy`: watts at radius 1 m."""
    data = bpy.data.lights.new(name, "AREA")
    data.energy = energy * radius**2 * 10
    data.shape, data.size = "DISK", size * radius
    light = bpy.data.objects.new(name, data)
    light.matrix_world = _looking_at(centre + direction * radius * 2.4, direction.normalized())
    scene.collection.objects.link(light)


def _light_world(scene: bpy.types.Scene) -> None:
    """A pale sky, so that no side is ever black."""
    world = bpy.data.worlds.new("Product Shot")
    if bpy.app.version < (5, 0, 0):
        world.use_nodes = True
    background = next(node for node in world.node_tree.nodes if node.type == "BACKGROUND")
    background.inputs["Color"].default_value = (0.75, 0.84, 1.0, 1.0)
    background.inputs["Strength"].default_value = 0.25
    scene.world = world
