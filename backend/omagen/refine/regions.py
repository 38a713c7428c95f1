"""Where a refinement takes part: weights of vertices, with a border over which it fades."""

from __future__ import annotations

import numpy as np

from omagen.geometry.topology import borders


def vertex_shares(faces: np.ndarray, region: np.ndarray | None, count: int, rings: int) -> np.ndarray:
    """(`count`,) float64, 0 to 1: how much each vertex takes part in the refinement of `faces` (F, 3).

    `region` (V,) 0 to 1, or None for all. Next to vertices without any share it fades over `rings` rings of edges;
    those without, and open borders, have exactly 0.
    """
    share = np.ones(count) if region is None else np.nan_to_num(region.astype(np.float64)).clip(0, 1)
    if (share <= 0).any():
        distance = np.full(count, rings + 1)
        distance[share <= 0] = 0
        for _ in range(rings):
            nearest = distance[faces].min(1) + 1
            np.minimum.at(distance, faces.reshape(-1), np.repeat(nearest, 3))
        t = distance / (rings + 1)
        share = share * t * t * (3 - 2 * t)
    share[np.unique(borders(faces).open_edges)] = 0
    return share
