"""Charts of a large mesh by way of a decimated one: cut and flattened there, carried over, and relaxed here."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit


@dataclass(frozen=True)
class Proxy:
    vertices: np.ndarray
    """(W, 3) float32"""
    faces: np.ndarray
    """(G, 3) int32"""
    standin: np.ndarray
    """(V,) int32: the proxy's vertex that each vertex of the mesh was merged into"""


def decimated(vertices: np.ndarray, faces: np.ndarray, target: int) -> Proxy:
    """About `target` faces in place of `faces` (F, 3) over `vertices` (V, 3) (Garland and Heckbert 1997)."""
    import fast_simplification

    _, _, collapses = fast_simplification.simplify(vertices, faces, target_count=target, return_collapses=True)
    coarse, coarse_faces, standin = fast_simplification.replay_simplification(vertices, faces, collapses)
    coarse_faces = coarse_faces.astype(np.int32)
    a, b, c = coarse_faces.T
    coarse_faces = np.ascontiguousarray(coarse_faces[(a != b) & (b != c) & (c != a)])
    return Proxy(coarse.astype(np.float32), coarse_faces, standin.astype(np.int32))


def nearest_proxy_face(corners: np.ndarray, faces: np.ndarray, proxy: Proxy, usable: np.ndarray) -> np.ndarray:
    """(F,) int32: the face of the proxy nearest to the middle of each face, among those around what its corners became.

    `corners` (F, 3, 3) float64, `faces` (F, 3) int32, `usable` (G,) bool. -1 where there is none.
    """
    order = np.argsort(proxy.faces.reshape(-1), kind="stable").astype(np.int32)
    start = np.zeros(len(proxy.vertices) + 1, np.int64)
    np.cumsum(np.bincount(proxy.faces.reshape(-1), minlength=len(proxy.vertices)), out=start[1:])
    triangles = proxy.vertices[proxy.faces].astype(np.float64)
    return _nearest(corners, proxy.standin[faces], triangles, order, start, usable)


@njit(cache=True, nogil=True)
def _nearest(corners, standins, triangles, order, start, usable) -> np.ndarray:
    result = np.full(len(corners), -1, np.int32)
    for face in range(len(corners)):
        x = (corners[face, 0, 0] + corners[face, 1, 0] + corners[face, 2, 0]) / 3
        y = (corners[face, 0, 1] + corners[face, 1, 1] + corners[face, 2, 1]) / 3
        z = (corners[face, 0, 2] + corners[face, 1, 2] + corners[face, 2, 2]) / 3
        least = np.inf
        for k in range(3):
            node = standins[face, k]
            if node < 0 or (k > 0 and node == standins[face, 0]) or (k == 2 and node == standins[face, 1]):
                continue
            for entry in range(start[node], start[node + 1]):
                other = order[entry] // 3
                if usable[other]:
                    distance = _squared_distance(triangles[other], x, y, z)
                    if distance < least:
                        least = distance
                        result[face] = other
    return result


@njit(cache=True, nogil=True)
def _squared_distance(triangle: np.ndarray, x: float, y: float, z: float) -> float:
    """From a point to a triangle (Ericson 2005, section 5.1.5)."""
    ax, ay, az = triangle[0, 0], triangle[0, 1], triangle[0, 2]
    bx, by, bz = triangle[1, 0] - ax, triangle[1, 1] - ay, triangle[1, 2] - az
    cx, cy, cz = triangle[2, 0] - ax, triangle[2, 1] - ay, triangle[2, 2] - az
    px, py, pz = x - ax, y - ay, z - az
    bb, bc, cc = bx * bx + by * by + bz * bz, bx * cx + by * cy + bz * cz, cx * cx + cy * cy + cz * cz
    bp, cp = bx * px + by * py + bz * pz, cx * px + cy * py + cz * pz
    determinant = bb * cc - bc * bc
    s, t = cc * bp - bc * cp, bb * cp - bc * bp
    if determinant > 0 and s >= 0 and t >= 0 and s + t <= determinant:
        s, t = s / determinant, t / determinant
    else:
        least, s, t = np.inf, 0.0, 0.0
        for edge in range(3):
            if edge == 0:
                q = min(max(bp / bb, 0.0), 1.0) if bb > 0 else 0.0
                i, j = q, 0.0
            elif edge == 1:
                q = min(max(cp / cc, 0.0), 1.0) if cc > 0 else 0.0
                i, j = 0.0, q
            else:
                length = bb - 2 * bc + cc
                q = min(max((cp - bp + bb - bc) / length, 0.0), 1.0) if length > 0 else 0.0
                i, j = 1 - q, q
            dx, dy, dz = px - i * bx - j * cx, py - i * by - j * cy, pz - i * bz - j * cz
            if dx * dx + dy * dy + dz * dz < least:
                least, s, t = dx * dx + dy * dy + dz * dz, i, j
    dx, dy, dz = px - s * bx - t * cx, py - s * by - t * cy, pz - s * bz - t * cz
    return dx * dx + dy * dy + dz * dz


@njit(cache=True, nogil=True)
def carried_uv(
    corners: np.ndarray,
    face_vertex: np.ndarray,
    vertices: int,
    nearest: np.ndarray,
    is_same: np.ndarray,
    triangles: np.ndarray,
    proxy_uv: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """(N, 2) float64: where the proxy's flattening, continued beyond its triangles, puts each chart vertex; (N,) known.

    The mean over the vertex's faces for which `is_same` (F,): `nearest` (F,) is of their chart. `corners` (F, 3, 3),
    `face_vertex` (F, 3), `triangles` (G, 3, 3), `proxy_uv` (G, 3, 2).
    """
    total, count = np.zeros((vertices, 2)), np.zeros(vertices)
    for face in range(len(corners)):
        if not is_same[face]:
            continue
        other = nearest[face]
        a = triangles[other, 0]
        b, c = triangles[other, 1] - a, triangles[other, 2] - a
        bb, bc, cc = (b * b).sum(), (b * c).sum(), (c * c).sum()
        determinant = bb * cc - bc * bc
        if not determinant > 1e-9 * bb * cc:
            continue
        for k in range(3):
            p = corners[face, k] - a
            bp, cp = (b * p).sum(), (c * p).sum()
            s, t = (cc * bp - bc * cp) / determinant, (bb * cp - bc * bp) / determinant
            node = face_vertex[face, k]
            for i in range(2):
                total[node, i] += (
                    (1 - s - t) * proxy_uv[other, 0, i] + s * proxy_uv[other, 1, i] + t * proxy_uv[other, 2, i]
                )
            count[node] += 1
    for node in range(vertices):
        if count[node] > 0:
            total[node] /= count[node]
    return total, count > 0


@njit(cache=True, nogil=True)
def fill_unknown(uv: np.ndarray, is_known: np.ndarray, face_vertex: np.ndarray) -> None:
    """Give chart vertices that are not yet known the mean of their known neighbours, ring by ring."""
    while True:
        total, count = np.zeros(uv.shape), np.zeros(len(uv))
        for face in range(len(face_vertex)):
            for k in range(3):
                node = face_vertex[face, k]
                if is_known[node]:
                    continue
                for step in range(1, 3):
                    other = face_vertex[face, (k + step) % 3]
                    if is_known[other]:
                        total[node] += uv[other]
                        count[node] += 1
        if not count.any():
            return
        for node in range(len(uv)):
            if count[node] > 0:
                uv[node] = total[node] / count[node]
                is_known[node] = True
