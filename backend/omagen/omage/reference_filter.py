"""The published encoder's choice of patches (`remove_small_patches`, arXiv 2408.03178): the large ones stay."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class PatchFilter:
    keep: np.ndarray
    """(F,) bool: faces that stay, in their order"""
    patch: np.ndarray
    """(F,) int32: the patch of each face, numbered by first faces"""
    original: int
    removed: int


def filter_patches(
    positions: np.ndarray, faces: np.ndarray, uv: np.ndarray, min_area: float = 1e-4, most: int = 64
) -> PatchFilter:
    """Drop patches with less than `min_area` in UV or in 3D, and all but the `most` largest in 3D.

    `positions` (V, 3) normalised and `uv` (V, 2) belong to vertices that are split per UV; a patch is what `faces`
    (F, 3) connect. The ranking counts all patches, those below an area limit too; of equal areas the later one stays.
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    ends = faces[:, [1, 2]].ravel()
    links = coo_matrix((np.ones(len(ends), np.int8), (np.repeat(faces[:, 0], 2), ends)), shape=(len(positions),) * 2)
    component = connected_components(links, directed=False)[1][faces[:, 0]]
    _, first, patch = np.unique(component, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int32)
    rank[np.argsort(first)] = np.arange(len(first), dtype=np.int32)
    patch = rank[patch]
    area_3d = np.bincount(patch, np.linalg.norm(_cross(positions[faces]), axis=1) / 2)
    edges = uv[faces[:, 1:]] - uv[faces[:, :1]]
    area_uv = np.bincount(patch, np.abs(edges[:, 0, 0] * edges[:, 1, 1] - edges[:, 0, 1] * edges[:, 1, 0]) / 2)
    stays = np.zeros(len(first), bool)
    stays[np.argsort(area_3d, kind="stable")[::-1][:most]] = True
    stays &= (area_uv >= min_area) & (area_3d >= min_area)
    return PatchFilter(stays[patch], patch, len(first), int((~stays).sum()))


def _cross(corners: np.ndarray) -> np.ndarray:
    return np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
