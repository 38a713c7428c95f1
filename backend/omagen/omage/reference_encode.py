"""Mesh to omage by the published recipe (`objamage_encoderv2`, arXiv 2408.03178): the mesh's own UVs, packed again.

For parity and comparison: it fails without UVs, keeps overlaps, drops small patches and smooths hard edges, as
published. `omagen.omage.encode` is the encoder to use.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from omagen.omage.frame import normalise_vertices
from omagen.omage.reference_filter import filter_patches
from omagen.omage.reference_packing import pack_boxes
from omagen.omage.reference_raster import FlatMesh, ImageSampler, ReferenceMaterial, bake
from omagen.protocol import ErrorCode, OmagenError
from omagen.shapes import Material, Mesh, Texture

WELD_DISTANCE: Final = 1e-6
_UV_STEP: Final = 1e-5
"""Texture coordinates that differ by less are one vertex of the layout."""


def reference_encode(
    mesh: Mesh, resolution: int, *, min_area: float = 1e-4, most_patches: int = 64
) -> tuple[np.ndarray, dict[str, int]]:
    """(R, R, 12) float64 in 0..1, row 0 at v = 0, channels as published, and how many patches there were and are.

    The published packer is Blender's; of its layout only these properties are fixed and kept here: one scale for all
    patches, no rotation, bounding boxes in the range 0.02 to 0.98 and 0.04 apart. Where each box lies is our own
    choice. Raises `OmagenError` (geometry): no UVs, no extent, or no patch that is large enough.
    """
    flat, counts = flatten(mesh, min_area, most_patches)
    materials = [_reference_material(material) for material in mesh.materials or (Material(),)]
    return np.clip(bake(flat, materials, resolution), 0, 1), counts


def flatten(mesh: Mesh, min_area: float, most_patches: int) -> tuple[FlatMesh, dict[str, int]]:
    """The normalised, welded, filtered and packed mesh that is baked, and the counts of its patches."""
    if mesh.uv is None:
        raise _error("has no UVs, which the published encoder needs")
    positions, faces, source = _welded(normalise_vertices(mesh.vertices)[0], mesh.faces)
    uv = mesh.uv[source].astype(np.float64)
    split, split_faces, split_uv = _split_per_uv(faces, uv)
    filtered = filter_patches(positions[split], split_faces, split_uv, min_area, most_patches)
    keep = filtered.keep
    if not keep.any():
        raise _error("has no UV patch that is large enough for the published encoder")
    material = np.zeros(len(mesh.faces), np.int64) if mesh.material_index is None else mesh.material_index
    flat = FlatMesh(
        corners=positions[faces[keep]],
        normals=smooth_normals(positions, faces[keep]),
        layout_uv=_packed(uv[keep], filtered.patch[keep]),
        texture_uv=uv[keep],
        material=material[source][keep],
    )
    left = filtered.original - filtered.removed
    return flat, {"original": filtered.original, "removed": filtered.removed, "patches": left}


def smooth_normals(positions: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """(F, 3, 3) unit normals of the corners: mean of the faces around a vertex, weighted by their angle there."""
    corners = positions[faces]
    edges = corners[:, [1, 2, 0]] - corners
    edges /= np.maximum(np.linalg.norm(edges, axis=2, keepdims=True), 1e-30)
    cosine = -np.einsum("fkc,fkc->fk", edges, edges[:, [2, 0, 1]])
    angle = np.arccos(np.clip(cosine, -1, 1))
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-30)
    weighted = angle[:, :, None] * normal[:, None]
    index = faces.ravel()
    total = np.stack([np.bincount(index, weighted[..., k].ravel(), len(positions)) for k in range(3)], axis=1)
    total /= np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-30)
    return total[faces]


def _welded(positions: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Vertices closer than `WELD_DISTANCE` made one: positions, faces that keep three corners, and where they were."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components
    from scipy.spatial import KDTree

    exact, place = np.unique(positions, axis=0, return_inverse=True)
    place = place.ravel()
    pairs = KDTree(exact).query_pairs(WELD_DISTANCE, output_type="ndarray")
    links = coo_matrix((np.ones(len(pairs), np.int8), (pairs[:, 0], pairs[:, 1])), shape=(len(exact),) * 2)
    group = connected_components(links, directed=False)[1]
    _, first = np.unique(group, return_index=True)
    faces = group[place[faces]]
    whole = (faces != np.roll(faces, 1, axis=1)).all(axis=1)
    return exact[first], faces[whole], np.flatnonzero(whole)


def _split_per_uv(faces: np.ndarray, uv: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Vertices of the layout: the welded vertex of each, faces into them, and their (V, 2) uv."""
    grid = np.round(uv.reshape(-1, 2) / _UV_STEP).astype(np.int64)
    keys = np.column_stack([faces.ravel(), grid])
    unique, first, inverse = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    return unique[:, 0], inverse.reshape(faces.shape), uv.reshape(-1, 2)[first]


def _packed(uv: np.ndarray, patch: np.ndarray) -> np.ndarray:
    """The layout (F, 3, 2) with every patch moved and scaled to its place in the unit square."""
    _, number = np.unique(patch, return_inverse=True)
    count = int(number.max()) + 1
    low, high = np.full((count, 2), np.inf), np.full((count, 2), -np.inf)
    np.minimum.at(low, number, uv.min(axis=1))
    np.maximum.at(high, number, uv.max(axis=1))
    scale, corner = pack_boxes(high - low)
    return (uv - low[number][:, None]) * scale + corner[number][:, None]


def _reference_material(material: Material) -> ReferenceMaterial:
    packed = material.metallic_roughness_texture
    return ReferenceMaterial(
        np.asarray(material.base_color[:3]),
        material.metallic,
        material.roughness,
        _sampler(material.base_color_texture, slice(0, 3)),
        _sampler(packed, slice(2, 3)),
        _sampler(packed, slice(1, 2)),
    )


def _sampler(texture: Texture | None, channels: slice) -> ImageSampler | None:
    if texture is None:
        return None
    return ImageSampler(texture.pixels[::-1, :, channels] / 255.0, texture.wrap_u, texture.wrap_v)


def _error(problem: str) -> OmagenError:
    return OmagenError(ErrorCode.GEOMETRY, f"The mesh {problem}.", "Encode it without the reference mode.")
