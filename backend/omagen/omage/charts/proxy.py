"""Charts of a large mesh by way of a decimated one: cut and flattened there, carried over, and relaxed here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numba import njit
from scipy.spatial import KDTree

from omagen.omage.charts.preparation import Surface
from omagen.omage.charts.topology import group_order, opposite_half_edges
from omagen.omage.cores import in_parts

LEAST_TURN: Final = 0.3
"""Cosine between normals below which a face of the proxy counts as far away."""
LEAST_FACES: Final = 400
"""Fewer would not show a component's shape."""
MOST_FACES_ALONE: Final = 2000
"""Components get an eighth of their faces up to this many, however large the others are."""
WORTHWHILE: Final = 1.5
"""Components with at most so many times the faces they would get stay as they are."""
TORN: Final = 0.02
"""Share of open half-edges that decimation may add to a closed component."""
FACES_AT_ONCE: Final = 50_000
"""For each of the cores."""
MOST_FACES_WHOLE: Final = 4000
"""Components up to this size are used whole when decimation tears them."""


@dataclass(frozen=True)
class Proxy:
    vertices: np.ndarray
    """(W, 3) float32"""
    faces: np.ndarray
    """(G, 3) int32"""
    standin: np.ndarray
    """(V,) int32: the proxy's vertex that each vertex of the mesh was merged into"""


def decimated(surface: Surface, target: int) -> Proxy:
    """A stand-in of about `target` faces (Garland and Heckbert 1997), component by component.

    Small components keep at least `LEAST_FACES`; those that have hardly more, or come out torn, stay as they are.
    """
    order, start = group_order(surface.component, surface.components)
    corner_order = surface.faces[order]
    vertices, faces = [], []
    standin, count = np.full(len(surface.vertices), -1, np.int32), 0
    place = np.empty(len(surface.vertices), np.int32)
    size = np.diff(start)
    goal = np.maximum(target * size / len(order), np.clip(size / 8, LEAST_FACES, MOST_FACES_ALONE)).round().astype(int)
    small = size <= WORTHWHILE * goal
    whole = corner_order[np.repeat(small, size)]
    pieces = [(whole, 0), *((corner_order[start[i] : start[i + 1]], goal[i]) for i in np.flatnonzero(~small))]
    for piece, faces_wanted in pieces:
        if len(piece) == 0:
            continue
        used = _used(piece, len(surface.vertices))
        place[used] = np.arange(len(used), dtype=np.int32)
        local = np.take(place, piece)
        points, simple, into = surface.vertices[used], local, np.arange(len(used))
        if faces_wanted:
            points, simple, into = _simplified(points, local, faces_wanted)
        vertices.append(points.astype(np.float32))
        faces.append((simple + count).astype(np.int32))
        standin[used] = into + count
        count += len(points)
    return Proxy(np.concatenate(vertices), np.ascontiguousarray(np.concatenate(faces)), standin)


def _used(faces: np.ndarray, vertices: int) -> np.ndarray:
    """(U,) int64, ascending: the vertices, of so many, that `faces` (N, 3) name."""
    if 3 * len(faces) < vertices:
        return np.unique(faces).astype(np.int64)
    is_used = np.zeros(vertices, bool)
    is_used[faces] = True
    return np.flatnonzero(is_used)


def _simplified(vertices: np.ndarray, faces: np.ndarray, target: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Vertices, faces, and which of the vertices each of the given ones was merged into.

    Where no face is left around that one, it is the nearest of the others.
    """
    import fast_simplification

    simplified = fast_simplification.simplify(vertices, faces, target_count=target, return_collapses=True)
    coarse, root = simplified[0], _merged_into(np.ascontiguousarray(simplified[-1], np.int32), len(vertices))
    coarse_faces = np.take(root, faces)
    a, b, c = coarse_faces.T
    coarse_faces = coarse_faces[(a != b) & (b != c) & (c != a)]
    into = np.full(len(vertices), -1, np.int32)
    into[coarse_faces] = 0
    into[into == 0] = np.arange((into == 0).sum(), dtype=np.int32)
    coarse_faces, into = np.take(into, coarse_faces), np.take(into, root)
    was_open = (opposite_half_edges(faces) < 0).mean()
    is_torn = len(coarse_faces) < 8 or (opposite_half_edges(coarse_faces) < 0).mean() > TORN + 4 * was_open
    is_numbered_so = len(coarse) == coarse_faces.max(initial=-1) + 1
    if not is_numbered_so or (is_torn and len(faces) <= MOST_FACES_WHOLE):
        return vertices, faces, np.arange(len(vertices))
    if (into < 0).any() and len(coarse):
        into[into < 0] = KDTree(coarse).query(vertices[into < 0])[1]
    return coarse, coarse_faces, into


@njit(cache=True, nogil=True)
def _merged_into(collapses: np.ndarray, vertices: int) -> np.ndarray:
    """(V,) int32: which vertex each ended up in. `collapses` (K, 2) int32, in order: the second became the first."""
    root = np.arange(vertices).astype(np.int32)
    for index in range(len(collapses) - 1, -1, -1):
        root[collapses[index, 1]] = root[collapses[index, 0]]
    return root


def nearest_proxy_face(corners: np.ndarray, faces: np.ndarray, proxy: Proxy, usable: np.ndarray) -> np.ndarray:
    """(F,) int32: the face of the proxy nearest to the middle of each face, among those around what its corners became.

    `corners` (F, 3, 3) float64, `faces` (F, 3) int32, `usable` (G,) bool. -1 where there is none.
    """
    order, start = group_order(proxy.faces.reshape(-1), len(proxy.vertices))
    triangles = proxy.vertices[proxy.faces].astype(np.float64)
    reach = 100 * float(np.abs(triangles).max()) ** 2  # larger than any squared distance
    normals, result = _normals(triangles), np.full(len(faces), -1, np.int32)

    def look(part: slice) -> None:
        of = corners[part], faces[part], proxy.standin
        _nearest(*of, triangles, normals, order, start, usable, reach, result[part])

    in_parts(len(faces), FACES_AT_ONCE, look)
    return result


def _normals(corners: np.ndarray) -> np.ndarray:
    """(F, 3) float64: unit normals of triangles (F, 3, 3), zero where there is none."""
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    length = np.linalg.norm(normal, axis=1, keepdims=True)
    return np.divide(normal, length, out=np.zeros_like(normal), where=length > 0)


@njit(cache=True, nogil=True)
def _nearest(corners, faces, standin, triangles, normals, order, start, usable, reach, result) -> None:
    middle, a, b = np.empty(3), np.empty(3), np.empty(3)
    standins = np.empty(3, np.int32)
    for face in range(len(faces)):
        for k in range(3):
            middle[k] = (corners[face, 0, k] + corners[face, 1, k] + corners[face, 2, k]) / 3
            a[k], b[k] = corners[face, 1, k] - corners[face, 0, k], corners[face, 2, k] - corners[face, 0, k]
            standins[k] = standin[faces[face, k]]
        x, y, z = middle[0], middle[1], middle[2]
        nx, ny, nz = a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]
        length = np.sqrt(nx * nx + ny * ny + nz * nz)
        if length > 0:
            nx, ny, nz = nx / length, ny / length, nz / length
        least = np.inf
        for k in range(3):
            node = standins[k]
            if node < 0 or (k > 0 and node == standins[0]) or (k == 2 and node == standins[1]):
                continue
            for entry in range(start[node], start[node + 1]):
                other = order[entry] // 3
                if usable[other]:
                    distance = _squared_distance(triangles[other], x, y, z)
                    turn = nx * normals[other, 0] + ny * normals[other, 1] + nz * normals[other, 2]
                    if turn < LEAST_TURN:  # the other side of something thin, or of a crease
                        distance += reach * (LEAST_TURN - turn)
                    if distance < least:
                        least = distance
                        result[face] = other


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


def carried_uv(
    corners: np.ndarray,
    face_vertex: np.ndarray,
    vertices: int,
    nearest: np.ndarray,
    triangles: np.ndarray,
    proxy_uv: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """(N, 2) float64: where the proxy's flattening, continued beyond its triangles, puts each chart vertex; (N,) known.

    The mean over the vertex's faces. `nearest` (F,): the proxy's face to go by for each face, -1 = none. `corners`
    (F, 3, 3), `face_vertex` (F, 3), `triangles` (G, 3, 3), `proxy_uv` (G, 3, 2).
    """
    b, c = triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0]
    bb, bc, cc = (b * b).sum(1), (b * c).sum(1), (c * c).sum(1)
    determinant = bb * cc - bc * bc
    is_flat = ~(determinant > 1e-9 * bb * cc)
    determinant[is_flat] = 1
    to_s = (cc[:, None] * b - bc[:, None] * c) / determinant[:, None]
    to_t = (bb[:, None] * c - bc[:, None] * b) / determinant[:, None]
    along, across = proxy_uv[:, 1] - proxy_uv[:, 0], proxy_uv[:, 2] - proxy_uv[:, 0]
    linear = np.einsum("gi,gx->gix", along, to_s) + np.einsum("gi,gx->gix", across, to_t)  # d uv / d place
    offset = proxy_uv[:, 0] - np.einsum("gix,gx->gi", linear, triangles[:, 0])
    nearest = np.where((nearest >= 0) & ~is_flat[nearest], nearest, -1)
    return _mean_by_vertex(corners, face_vertex, vertices, nearest, linear, offset)


@njit(cache=True, nogil=True)
def _mean_by_vertex(corners, face_vertex, vertices, nearest, linear, offset) -> tuple[np.ndarray, np.ndarray]:
    total, count = np.zeros((vertices, 2)), np.zeros(vertices)
    for face in range(len(nearest)):
        other = nearest[face]
        if other < 0:
            continue
        for k in range(3):
            node = face_vertex[face, k]
            for i in range(2):
                value = offset[other, i]
                for axis in range(3):
                    value += linear[other, i, axis] * corners[face, k, axis]
                total[node, i] += value
            count[node] += 1
    for node in range(vertices):
        if count[node] > 0:
            total[node, 0] /= count[node]
            total[node, 1] /= count[node]
    return total, count > 0
