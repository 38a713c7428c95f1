"""Opacity under different alpha modes, made to fit one material."""

from __future__ import annotations

import numpy as np

from omagen.shapes import Mesh


def opacity_in_mode(mesh: Mesh, face: np.ndarray, opacity: np.ndarray, mode: str) -> np.ndarray:
    """`opacity` (N,) of points on `face` (N,), before any cut-off, as one material of alpha mode `mode` has it.

    Where masks stay masks their cut-offs all move to 0.5; beside what blends they become opaque or clear. `mesh` has
    materials. Returns (N,) float32.
    """
    modes = np.array([material.alpha_mode for material in mesh.materials])
    cutoffs = np.array([material.alpha_cutoff for material in mesh.materials], np.float32).clip(1e-3, 1 - 1e-3)
    index = np.zeros(len(face), np.int32) if mesh.material_index is None else mesh.material_index[face]
    is_masked, cutoff = (modes == "MASK")[index], cutoffs[index]
    if mode == "BLEND":
        return np.where(is_masked, opacity >= cutoff, opacity).astype(np.float32)
    below, above = 0.5 * opacity / cutoff, 0.5 + 0.5 * (opacity - cutoff) / (1 - cutoff)
    return np.where(is_masked, np.where(opacity < cutoff, below, above), opacity).astype(np.float32)
