"""The surfaces of objects as arrays: copied out of Blender at once, prepared for sending off the main thread.

Nothing in the scene is touched: neither selection, mode and active object, nor any data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Final

import bpy
import numpy as np
from mathutils import Matrix

from ...backend.omagen.protocol import ErrorCode, OmagenError
from .material_source import MaterialSource
from .mesh_source import ACTIVE, MeshSource, Piece
from .read_material import MaterialReader

SURFACES: Final = {"MESH", "CURVE", "SURFACE", "META", "FONT"}
"""Types of objects that have, or can be made into, a surface."""
FARTHEST: Final = 1e9
"""Metres; the backend takes nothing beyond, where 32-bit numbers cannot tell apart the points of an object."""


def has_surface(obj: bpy.types.Object) -> bool:
    return obj.type in SURFACES or obj.is_instancer


class MeshReader:
    """Reads the objects of one request. `warnings` tells what could not be taken along."""

    def __init__(self, context: bpy.types.Context, apply_modifiers: bool) -> None:
        self._context = context
        self._apply = apply_modifiers
        self._materials = MaterialReader()
        self._read: dict[str, MaterialSource] = {}

    @property
    def warnings(self) -> list[str]:
        return self._materials.warnings

    def read(self, name: str, objects: Iterable[bpy.types.Object], frame: Matrix) -> MeshSource:
        """The objects as one mesh in the frame of `frame`, a matrix to the world.

        Raises `OmagenError` (input) where none of them has a face.
        """
        objects = list(objects)
        for obj in objects:
            if obj.mode == "EDIT":
                obj.update_from_editmode()
        self._depsgraph = self._context.evaluated_depsgraph_get()
        to_frame = _into(frame)
        pieces = [piece for obj in objects for piece in self._pieces(obj, to_frame)]
        if any(np.abs(piece.positions).max() > FARTHEST for piece in pieces):
            raise OmagenError(
                ErrorCode.INPUT,
                f"{name!r} reaches farther than {FARTHEST:g} m from its origin.",
                "Look for a vertex that has gone astray, or scale the object down.",
            )
        if pieces and not any(np.ptp(piece.positions, axis=0).any() for piece in pieces):
            raise OmagenError(
                ErrorCode.INPUT,
                f"All vertices of {name!r} are in one place.",
                "An omage needs a surface: choose an object that has a size.",
            )
        if not pieces:
            one = len(objects) == 1
            raise OmagenError(
                ErrorCode.INPUT,
                f"{objects[0].name!r} has no faces." if one else "None of the objects has faces.",
                "An omage needs a surface: choose an object with faces.",
            )
        return MeshSource(name, pieces)

    def read_numbered(self, obj: bpy.types.Object, region: np.ndarray | None) -> MeshSource:
        """One object's own mesh in its own frame, so that the result can be laid over it vertex by vertex.

        `region` (V,) float32 as in `Piece`. Raises as `read` does; needs a reader that applies no modifiers.
        """
        whole = self.read(obj.name, [obj], obj.matrix_world)
        (piece,) = whole.pieces
        return replace(whole, pieces=[replace(piece, region=region)], is_numbered=True)

    def _pieces(self, obj: bpy.types.Object, to_frame: Callable[[Matrix], np.ndarray]) -> Iterator[Piece]:
        if obj.mode == "SCULPT" and obj.use_dynamic_topology_sculpting:
            raise OmagenError(
                ErrorCode.INPUT, f"{obj.name!r} is being sculpted with Dyntopo.", "Leave Sculpt Mode first."
            )
        if obj.type in SURFACES:
            piece = self._piece(obj, to_frame(obj.matrix_world))
            if piece is not None:
                yield piece
        if not self._apply or not (obj.is_instancer or any(m.type == "NODES" for m in obj.modifiers)):
            return
        for instance in self._depsgraph.object_instances:
            if instance.is_instance and instance.parent and instance.parent.original == obj:
                piece = self._piece(instance.object, to_frame(instance.matrix_world))
                if piece is not None:
                    yield piece

    def _piece(self, obj: bpy.types.Object, matrix: np.ndarray) -> Piece | None:
        if obj.type not in SURFACES:
            return None
        with _as_mesh(obj, self._depsgraph, self._apply) as mesh:
            if mesh is None or not len(mesh.polygons):
                return None
            materials = [self._material(material) for material in mesh.materials] or [self._material(None)]
            if obj.type == "MESH":  # a slot may hold the object's own material instead of the mesh's
                materials = [self._material(slot.material) for slot in obj.material_slots] or materials
            piece = _piece_of(mesh, materials, matrix)
        lost = piece.triangles - (whole := piece.finite()).triangles
        if not whole.triangles:
            raise OmagenError(
                ErrorCode.INPUT,
                f"Every face of {obj.name!r} has a vertex without a valid position.",
                "Look at its modifiers, or undo what broke it.",
            )
        if lost:
            self._materials.warnings.append(
                f"{lost:,} triangles of {obj.name!r} are left out: their vertices have no valid position."
            )
        return whole

    def _material(self, material: bpy.types.Material | None) -> MaterialSource:
        key = material.name_full if material else ""
        if key not in self._read:
            original = material.original if material else None
            self._read[key] = self._materials.read(original)
        return self._read[key]


@contextmanager
def _as_mesh(
    obj: bpy.types.Object, depsgraph: bpy.types.Depsgraph, apply_modifiers: bool
) -> Iterator[bpy.types.Mesh | None]:
    """A mesh of the object that lives until the end of the block; None for one that has no surface."""
    if obj.type == "MESH" and not apply_modifiers and obj.mode != "EDIT":  # where a mesh hides its arrays
        yield obj.data
        return
    source = obj.evaluated_get(depsgraph) if apply_modifiers else obj
    try:
        mesh = (
            source.to_mesh(preserve_all_data_layers=True, depsgraph=depsgraph) if apply_modifiers else source.to_mesh()
        )
    except RuntimeError:  # e.g. a metaball that is drawn by another one of its family
        yield None
        return
    try:
        yield mesh
    finally:
        source.to_mesh_clear()


def _piece_of(mesh: bpy.types.Mesh, materials: list[MaterialSource], matrix: np.ndarray) -> Piece:
    mesh.calc_loop_triangles()
    corners, triangles = len(mesh.loops), len(mesh.loop_triangles)
    triangle_corners = None
    slots = _slots(mesh, len(materials))
    if 3 * triangles != corners or triangles != len(mesh.polygons):
        triangle_corners = np.empty(3 * triangles, np.int32)
        mesh.loop_triangles.foreach_get("loops", triangle_corners)
        if slots is not None:
            polygon = np.empty(triangles, np.int32)
            mesh.loop_triangles.foreach_get("polygon_index", polygon)
            slots = slots[polygon]
    normals = np.empty((corners, 3), np.float32)
    mesh.corner_normals.foreach_get("vector", normals.reshape(-1))
    corner_vertex = _attribute(mesh, ".corner_vert", "value", np.int32)
    return Piece(
        positions=_attribute(mesh, "position", "vector", np.float32, 3),
        corner_vertex=corner_vertex,
        triangle_corners=triangle_corners,
        triangle_material=slots,
        normals=normals,
        uv=_uv_layers(mesh, {material.second_uv for material in materials}),
        colors=_color_layers(mesh, {m.color_layer for m in materials if m.color_layer}, corner_vertex),
        materials=materials,
        matrix=matrix,
    )


def _slots(mesh: bpy.types.Mesh, count: int) -> np.ndarray | None:
    """(P,) int32, the material of each polygon; None = all 0. Faces of slots that are not there have the last one."""
    if count < 2 or "material_index" not in mesh.attributes:
        return None
    slots = _attribute(mesh, "material_index", "value", np.int32)
    return slots.clip(0, count - 1, out=slots)


def _attribute(mesh: bpy.types.Mesh, name: str, field: str, dtype: type, width: int = 1) -> np.ndarray:
    data = mesh.attributes[name].data
    values = np.empty((len(data), width) if width > 1 else len(data), dtype)
    data.foreach_get(field, values.reshape(-1))
    return values


def _uv_layers(mesh: bpy.types.Mesh, wanted: set[str]) -> dict[str, np.ndarray]:
    found = {}
    for layer in mesh.uv_layers:
        names = {layer.name} & wanted | ({""} if layer.active_render else set())
        if names:
            values = np.empty((len(mesh.loops), 2), np.float32)
            layer.uv.foreach_get("vector", values.reshape(-1))
            found |= dict.fromkeys(names, values)
    return found


def _color_layers(mesh: bpy.types.Mesh, wanted: set[str], corner_vertex: np.ndarray) -> dict[str, np.ndarray]:
    found = {}
    active = mesh.color_attributes.active_color_name if wanted else ""
    for name in wanted:
        layer = mesh.color_attributes.get(active if name == ACTIVE else name)
        if layer is None:
            continue
        values = np.empty((len(layer.data), 4), np.float32)
        layer.data.foreach_get("color", values.reshape(-1))  # linear, also where bytes are stored
        found[name] = values[corner_vertex] if layer.domain == "POINT" else values
    return found


def _into(frame: Matrix) -> Callable[[Matrix], np.ndarray]:
    """Turns matrices to the world into matrices to `frame`. Exact for the frame's own, also where it has no inverse."""
    frame = frame.copy()
    inverse = frame.inverted_safe()

    def relative(matrix: Matrix) -> np.ndarray:
        return np.eye(4) if matrix == frame else np.array(inverse @ matrix, np.float64)

    return relative
