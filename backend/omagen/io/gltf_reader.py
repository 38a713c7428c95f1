"""Reads the scene of a glTF 2.0 file as one `Mesh`: all triangles where the scene puts them, all materials kept.

Not read: animations, morph targets, cameras, lights. Skinned meshes stand in the pose in which they were bound.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np

from omagen.io.gltf_accessors import Accessors
from omagen.io.gltf_document import Document, broken, integer, numbers, parse_document, typed
from omagen.io.gltf_surfaces import DEFAULT, Surface, Surfaces
from omagen.io.mesh_parts import MeshBuilder, Part, check_triangles, without_unused
from omagen.shapes import Mesh

TRIANGLES, STRIP, FAN = 4, 5, 6
MAX_NUMBER: Final = 2**24
"""Up to here float32 holds every whole number"""
TRANSFORMS: Final = {"matrix", "translation", "rotation", "scale"}


def read_gltf(path: Path, data: bytes, warn: Callable[[str], None]) -> Mesh:
    """The default scene of `data`, the content of the `.glb` or `.gltf` file `path`.

    Vertices are shared as in the file, or as they were before `write_glb` split them. Raises `OmagenError` (input).
    """
    document = parse_document(path, data)
    worlds = _world_matrices(document)
    primitives = _Primitives(document, warn)
    builder = MeshBuilder("")
    for index, world in worlds.items():
        node = document.entry("nodes", index)
        if "mesh" not in node:
            continue
        builder.name = builder.name or str(node.get("name") or document.entry("meshes", node["mesh"]).get("name") or "")
        if "skin" in node:
            world = _bind_matrix(document, primitives.accessors, node["skin"], worlds)
        for part in primitives.of_mesh(node["mesh"]):
            builder.add(part.transformed(world))
    return builder.build()


def _world_matrices(document: Document) -> dict[int, np.ndarray]:
    """Node index -> (4, 4) float64, for every node of the default scene, in depth-first order."""
    pending = [(index, np.eye(4)) for index in reversed(_roots(document))]
    worlds: dict[int, np.ndarray] = {}
    while pending:
        index, parent = pending.pop()
        node = document.entry("nodes", index)
        if index in worlds:
            raise broken(f"nodes[{index}] occurs twice in the scene, which must be a tree")
        worlds[index] = parent @ _local_matrix(node) if TRANSFORMS & node.keys() else parent
        pending += [(child, worlds[index]) for child in reversed(typed(node.get("children", []), list, "children"))]
    return worlds


def _roots(document: Document) -> list[Any]:
    if document.table("scenes"):
        return typed(document.entry("scenes", document.root.get("scene", 0)).get("nodes", []), list, "nodes")
    nodes = [typed(node, dict, "a node") for node in document.table("nodes")]
    children = {
        child for node in nodes for child in typed(node.get("children", []), list, "children") if type(child) is int
    }
    return [index for index in range(len(nodes)) if index not in children]


def _local_matrix(node: dict[str, Any]) -> np.ndarray:
    if "matrix" in node:
        return np.array(numbers(node["matrix"], 16, "matrix")).reshape(4, 4).T
    matrix = np.eye(4)
    x, y, z, w = numbers(node.get("rotation", [0, 0, 0, 1]), 4, "rotation")
    length = (x * x + y * y + z * z + w * w) ** 0.5 or 1.0
    x, y, z, w = x / length, y / length, z / length, w / length
    rotation = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    matrix[:3, :3] = np.array(rotation) * numbers(node.get("scale", [1, 1, 1]), 3, "scale")
    matrix[:3, 3] = numbers(node.get("translation", [0, 0, 0]), 3, "translation")
    return matrix


def _bind_matrix(document: Document, accessors: Accessors, skin: Any, worlds: dict[int, np.ndarray]) -> np.ndarray:
    """Where a skinned mesh stands: in the pose of its binding every joint moves it alike, so the first one tells."""
    entry = document.entry("skins", skin)
    joints = typed(entry.get("joints"), list, "joints")
    if not joints or type(joints[0]) is not int or joints[0] not in worlds:
        return np.eye(4)
    if "inverseBindMatrices" not in entry:
        return worlds[joints[0]]
    inverse = accessors.floats(entry["inverseBindMatrices"], 16)
    return worlds[joints[0]] @ inverse[0].reshape(4, 4).T.astype(np.float64) if len(inverse) else worlds[joints[0]]


class _Primitives:
    """The triangles of a document's meshes, each read once, however many nodes show it."""

    def __init__(self, document: Document, warn: Callable[[str], None]) -> None:
        self._document, self._warn = document, warn
        self.accessors = Accessors(document)
        self._surfaces = Surfaces(document, warn)
        self._materials: dict[int, Surface] = {}
        self._parts: dict[int, list[Part]] = {}
        self._triangles = 0

    def of_mesh(self, index: Any) -> list[Part]:
        mesh = self._document.entry("meshes", index)
        if index not in self._parts:
            found = [
                self._part(typed(p, dict, "a primitive")) for p in typed(mesh.get("primitives"), list, "primitives")
            ]
            self._parts[index] = [part for part in found if part is not None]
        return self._parts[index]

    def _part(self, primitive: dict[str, Any]) -> Part | None:
        mode = primitive.get("mode", TRIANGLES)
        if mode not in (TRIANGLES, STRIP, FAN):
            self._warn("Points and lines are left out; only surfaces are read.")
            return None
        attributes = typed(primitive.get("attributes"), dict, "attributes")
        if "POSITION" not in attributes:
            return None
        positions = self.accessors.floats(attributes["POSITION"], 3)
        corners = self._corners(primitive, len(positions))
        faces = _triangles(corners, mode)
        self._triangles += len(faces)
        check_triangles(self._triangles)
        used, faces = without_unused(len(positions), faces)
        surface = self._material(primitive)
        uvs: list[np.ndarray | None] = [None, None]
        for number, placement in enumerate(surface.placements[:2]):
            channel = f"TEXCOORD_{placement.channel}"
            if channel in attributes:
                moved = placement.apply(self._attribute(attributes, channel, positions, used, 2))
                uvs[number] = np.stack([moved[:, 0], 1 - moved[:, 1]], axis=1)[faces]
        normals = colors = None
        if "NORMAL" in attributes:
            normals = self._attribute(attributes, "NORMAL", positions, used, 3)[faces]
        if "COLOR_0" in attributes:
            colors = self._attribute(attributes, "COLOR_0", positions, used, 3, 4)
            colors = np.hstack([colors, np.ones((len(used), 4 - colors.shape[1]), np.float32)]).clip(0, 1)
        number, region = self._numbers(attributes, positions, used)
        extras = primitive.get("extras")
        weld = extras.get("omagen_weld") if isinstance(extras, dict) else None
        return Part(
            vertices=positions[used],
            faces=faces,
            uv=uvs[0],
            second_uv=uvs[1],
            normals=normals,
            colors=colors,
            material=surface.material,
            weld=self.accessors.indices(weld)[used] if weld is not None else None,
            number=number,
            region=region,
        )

    def _numbers(
        self, attributes: dict[str, Any], positions: np.ndarray, used: np.ndarray
    ) -> tuple[np.ndarray | None, np.ndarray | None]:
        """The attributes _VERTEX, (N,) int64, and _REGION, (N,) float32, of the vertices `used`."""
        number = region = None
        if "_VERTEX" in attributes:
            number = self._attribute(attributes, "_VERTEX", positions, used, 1)[:, 0]
            whole = (number >= 0) & (number <= MAX_NUMBER) & (number == np.floor(number))
            if not whole.all():
                raise broken(f"_VERTEX has values that are not whole numbers from 0 to {MAX_NUMBER}")
            number = number.astype(np.int64)
        if "_REGION" in attributes:
            region = self._attribute(attributes, "_REGION", positions, used, 1)[:, 0]
            if not np.isfinite(region).all():
                raise broken("_REGION has infinite or undefined values")
            region = region.clip(0, 1)
        return number, region

    def _corners(self, primitive: dict[str, Any], count: int) -> np.ndarray:
        if "indices" not in primitive:
            return np.arange(count)
        corners = self.accessors.indices(primitive["indices"])
        if len(corners) and (corners.min() < 0 or corners.max() >= count):
            raise broken(f"a triangle uses vertex {int(corners.max())}, and there are {count}")
        return corners

    def _attribute(
        self, attributes: dict[str, Any], name: str, positions: np.ndarray, used: np.ndarray, *widths: int
    ) -> np.ndarray:
        array = self.accessors.floats(attributes[name], *widths)
        if len(array) != len(positions):
            raise broken(f"{name} has {len(array)} elements for {len(positions)} vertices")
        return array[used]

    def _material(self, primitive: dict[str, Any]) -> Surface:
        if "material" not in primitive:
            return DEFAULT
        index = integer(primitive["material"], "material")
        if index not in self._materials:
            self._materials[index] = self._surfaces.read(index)
        return self._materials[index]


def _triangles(corners: np.ndarray, mode: int) -> np.ndarray:
    """(F, 3) int64 of the vertices in `corners`, which are a list, a strip or a fan of triangles."""
    if mode == TRIANGLES:
        return corners[: len(corners) // 3 * 3].reshape(-1, 3)
    count = max(len(corners) - 2, 0)
    if mode == FAN:
        return np.stack([np.full(count, corners[0] if count else 0), corners[1 : count + 1], corners[2 : count + 2]], 1)
    step = np.arange(count)
    odd = step % 2
    return np.stack([corners[step], corners[step + 1 + odd], corners[step + 2 - odd]], axis=1)
