"""A refinement as textures on the mesh that it began with: heights along its normals and a normal map."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from omagen.omage.normal_map import EXTENT, to_tangent_space
from omagen.omage.raster import dilate, raster_faces, raster_planes
from omagen.omage.surface import sample_surface
from omagen.omage.surface_normals import corner_normals
from omagen.omage.tangents import corner_tangents
from omagen.protocol import ErrorCode, OmagenError
from omagen.shapes import DisplacedMesh, Material, Mesh, Texture

OUTSIDE: Final = 1e-4
"""How far UVs may leave the unit square"""


def as_maps(mesh: Mesh, refined: Mesh, size: int) -> DisplacedMesh:
    """`mesh` untouched, with what makes it look like `refined`, pictures of `size` pixels a side.

    `refined` is `mesh` moved, or subdivided and moved, on the same UVs. Raises `OmagenError` (input) where `mesh`
    has no UVs within the unit square.
    """
    _check_layout(mesh)
    mesh = replace(mesh, normals=corner_normals(mesh))
    wanted, there = _planes(refined, size), _planes(mesh, size)
    texture, covered = _normal_texture(mesh, wanted[..., 3:], size)
    height = np.einsum("ijk,ijk->ij", (wanted - there)[..., :3], _unit(there[..., 3:]))
    height = dilate(np.ascontiguousarray(height[..., None], np.float32), covered, EXTENT)[..., 0]
    materials = tuple(
        replace(material, normal_texture=texture, normal_scale=1.0) for material in mesh.materials or (Material(),)
    )
    return DisplacedMesh(replace(mesh, materials=materials), np.ascontiguousarray(height[::-1]))


def remaining_normal_map(mesh: Mesh, refined: Mesh) -> Mesh:
    """`refined` with the normal map of `mesh` put into words of its new surface, so that no detail counts twice.

    For one material whose map lies in the unit square of the first UVs; other normal maps are dropped, because the
    surface has their shape now.
    """
    textures = [material.normal_texture for material in mesh.materials]
    texture = textures[0] if len(textures) == 1 else None
    plain = tuple(replace(material, normal_texture=None) for material in refined.materials)
    if texture is None or texture.uv_set != 0 or refined.uv is None or refined.normals is None or not _is_layout(mesh):
        return replace(refined, materials=plain)
    size = max(texture.pixels.shape[:2])
    assert mesh.uv is not None
    face, bary = raster_faces(mesh.uv.astype(np.float64) * size, size, size)
    inside = face >= 0
    wanted = np.zeros((size, size, 3), np.float32)
    wanted[inside] = sample_surface(mesh, face[inside], bary[inside]).normal
    rest, _ = _normal_texture(refined, wanted, size)
    return replace(refined, materials=(replace(plain[0], normal_texture=rest, normal_scale=1.0),))


def _normal_texture(mesh: Mesh, wanted: np.ndarray, size: int) -> tuple[Texture, np.ndarray]:
    """What shades `mesh` with the normals `wanted` (R, R, 3), row 0 at v = 0; and where that is (R, R) bool."""
    assert mesh.uv is not None and mesh.normals is not None
    tangents, sign = corner_tangents(mesh)
    face, bary = raster_faces(mesh.uv.astype(np.float64) * size, size, size)
    local, known = to_tangent_space(face, bary, mesh.normals, tangents, sign, _unit(wanted).astype(np.float32))
    local = dilate(local, known, EXTENT)
    return Texture(np.ascontiguousarray(np.round(local[::-1] * 127.5 + 127.5).clip(0, 255).astype(np.uint8))), face >= 0


def _planes(mesh: Mesh, size: int) -> np.ndarray:
    """(R, R, 6) float32: place and normal of the surface at each pixel, row 0 at v = 0; 0 where there is none"""
    assert mesh.uv is not None
    corners = np.concatenate([mesh.vertices[mesh.faces], corner_normals(mesh)], axis=2)
    return raster_planes(mesh.uv.astype(np.float64) * size, corners, size, size)[0]


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-20)


def _is_layout(mesh: Mesh) -> bool:
    return mesh.uv is not None and bool((mesh.uv >= -OUTSIDE).all() and (mesh.uv <= 1 + OUTSIDE).all())


def _check_layout(mesh: Mesh) -> None:
    if not _is_layout(mesh):
        raise OmagenError(
            ErrorCode.INPUT,
            "Maps need UVs within the unit square, and the mesh has none.",
            "Unwrap it first, or refine its geometry.",
        )
