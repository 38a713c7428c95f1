"""From pixels to triangles: the surface of an omage, charts welded along their seams.

Four neighbouring pixels of one chart give two triangles, three give one. Nothing connects two charts but welding, and
nothing runs across the picture's border.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np

from omagen.omage.diagonals import BORDER, is_diagonal_rising, is_on_border
from omagen.omage.orientation import pixel_normals, winding_signs
from omagen.omage.splitting import split_coinciding
from omagen.omage.welding import coinciding_pixels, number_vertices

A, B, C, D = 1, 2, 4, 8
"""The corners of a block of four pixels: lower left, lower right, upper right, upper left. A block is a sum of them."""
FULL = A | B | C | D


@dataclass(frozen=True)
class Surface:
    """Triangles over the pixels of a picture of H x W. Pixel (i, j) has the number i * W + j."""

    vertices: np.ndarray
    """(V, 3) float32: the positions given, welded; inserted points last"""
    faces: np.ndarray
    """(F, 3) int32 into `vertices`"""
    pixels: np.ndarray
    """(F, 3) int32: the pixel of each corner; H * W + k is point k of `inserted`"""
    vertex: np.ndarray
    """(H, W) int32: the vertex of each pixel, -1 where no triangle uses it"""
    inserted: np.ndarray
    """(K, 4) int32: points that are no pixels, as the four pixels (some of them the same) they are the mean of"""
    dropped_pixels: int
    """Pixels with a label that no triangle uses"""
    lost_labels: int
    """Labels without any triangle"""
    collapsed: int
    """Triangles that lost a corner by welding and were dropped"""
    splits: int
    """Edges inside charts that were split because welding laid them on another edge"""

    def face_labels(self, labels: np.ndarray) -> np.ndarray:
        """(F,) int32: the label of each triangle; `labels` as given to `build_surface`."""
        first = self.pixels[:, 0]
        if len(self.inserted):
            first = first.copy()
            made = first >= labels.size
            first[made] = self.inserted[first[made] - labels.size, 0]
        return labels.reshape(-1)[first]


def build_surface(
    labels: np.ndarray,
    position: np.ndarray,
    seam: np.ndarray | None = None,
    normal: np.ndarray | None = None,
    winding: np.ndarray | None = None,
) -> Surface:
    """Triangulate a labelled picture of positions.

    `labels` (H, W) int32, the chart of each pixel, -1 for none. `position` (H, W, 3) float32, any frame and unit.
    `seam` (H, W) int32: pixels with the same number from 0 up become one vertex at their mean; without it, those pixels
    do that lie on borders of charts at the same position to 1/65535. `normal` (H, W, 3) float32, of any length: decides
    which way round each chart's triangles go and which diagonals they use; without it they go counter-clockwise in the
    picture, row 0 being its bottom. `winding` (C,) int8, 1 or -1 for each label, overrules both.
    An edge has more than two triangles only where three borders or more were welded.
    """
    labels = np.ascontiguousarray(labels, np.int32)
    position = np.ascontiguousarray(position, np.float32)
    dense, count = _dense(labels)
    blocks, standing, triangles = find_blocks(dense)
    if seam is None:
        seam = coinciding_pixels(standing, position)
    seam, classes = _dense(np.ascontiguousarray(seam, np.int32))
    vertex, vertices, is_shared = number_vertices(standing, seam, classes, position)
    normal, sign = _facing(dense, count, blocks, position, normal, winding)
    pixels_of = (
        dense.reshape(-1),
        standing.reshape(-1),
        position.reshape(-1, 3),
        normal.reshape(-1, 3),
        vertex.reshape(-1),
    )
    faces, pixels, suspects = _triangulate(blocks, sign, is_shared, triangles, *pixels_of)
    split = split_coinciding(vertices, faces, pixels, suspects, is_shared, vertex)
    dropped, lost = _count_losses(dense, standing, count)
    return Surface(
        *(split.vertices, split.faces, split.pixels, vertex, split.inserted),
        dropped_pixels=dropped,
        lost_labels=lost,
        collapsed=triangles - len(faces),
        splits=split.edges,
    )


def _facing(
    labels: np.ndarray,
    count: int,
    blocks: np.ndarray,
    position: np.ndarray,
    normal: np.ndarray | None,
    winding: np.ndarray | None,
) -> tuple[np.ndarray, np.ndarray]:
    """Normals (H, W, 3) float32 and windings (count,) int8 that agree with each other, as far as they are not given."""
    if normal is not None:
        normal = np.ascontiguousarray(normal, np.float32)
        return normal, winding_signs(labels, count, blocks, position, normal) if winding is None else winding
    sign = np.ones(count, np.int8) if winding is None else winding
    normal = pixel_normals(labels, position)
    if count:
        normal *= sign[labels][..., None]
    return normal, sign


def _dense(numbers: np.ndarray) -> tuple[np.ndarray, int]:
    """`numbers` with values that a table can be indexed with, and how long that table is. Negative stays negative."""
    top = int(numbers.max(initial=-1)) + 1
    if top <= numbers.size:
        return numbers, top
    values, index = np.unique(numbers, return_inverse=True)
    index = index.reshape(numbers.shape).astype(np.int32) - np.int32((values < 0).sum())
    return np.where(numbers < 0, np.int32(-1), index), len(values)


@numba.njit(cache=True, nogil=True)
def _count_losses(labels: np.ndarray, standing: np.ndarray, count: int) -> tuple[int, int]:
    """How many labelled pixels are in no triangle, and how many labels have no pixel that is."""
    present = np.zeros(count, np.uint8)
    dropped = 0
    for i in range(labels.shape[0]):
        for j in range(labels.shape[1]):
            if labels[i, j] >= 0:
                dropped += standing[i, j] == 0
                present[labels[i, j]] |= 2 if standing[i, j] else 1
    return dropped, (present == 1).sum()


@numba.njit(cache=True, nogil=True)
def find_blocks(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
    """`blocks` (H, W) uint8: the corners that make triangles of the block whose lower left one is the pixel; `standing`
    (H, W) uint8: 0 for pixels in no triangle, 1 inside of charts, `BORDER`; and the number of triangles."""
    height, width = labels.shape
    blocks = np.zeros((height, width), np.uint8)
    standing = np.zeros((height, width), np.uint8)
    triangles = 0
    for i in range(height - 1):
        for j in range(width - 1):
            a, b, c, d = labels[i, j], labels[i, j + 1], labels[i + 1, j + 1], labels[i + 1, j]
            most = a if a in (b, c, d) else b  # the only label that three corners can have
            if most < 0:
                continue
            code = A * (a == most) + B * (b == most) + C * (c == most) + D * (d == most)
            if code == FULL or code == B | C | D or code == A | C | D or code == A | B | D or code == A | B | C:
                triangles += 2 if code == FULL else 1
                blocks[i, j] = code
                standing[i, j] |= a == most
                standing[i, j + 1] |= b == most
                standing[i + 1, j + 1] |= c == most
                standing[i + 1, j] |= d == most
    for i in range(height):
        for j in range(width):
            if standing[i, j] and is_on_border(labels, i, j):
                standing[i, j] = BORDER
    return blocks, standing, triangles


@numba.njit(cache=True, nogil=True)
def _triangulate(
    blocks: np.ndarray,
    sign: np.ndarray,
    is_shared: np.ndarray,
    triangles: int,
    labels: np.ndarray,
    standing: np.ndarray,
    position: np.ndarray,
    normal: np.ndarray,
    vertex: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`faces` and `pixels` (F, 3) int32 without collapsed triangles, and the faces with a shared corner.

    Arrays over pixels are flat but for `blocks` (H, W); `sign` (labels,) int8 as of `winding_signs`.
    """
    height, width = blocks.shape
    faces = np.empty((triangles, 3), np.int32)
    pixels = np.empty((triangles, 3), np.int32)
    suspects = np.empty(triangles, np.int32)
    count = suspect = 0
    for i in range(height - 1):
        for j in range(width - 1):
            code = blocks[i, j]
            if code == 0:
                continue
            a = i * width + j
            rising = code == FULL and vertex[a + 1] == vertex[a + width]  # a diagonal between one vertex would lose all
            if code == FULL and not rising and vertex[a] != vertex[a + width + 1]:
                rising = is_diagonal_rising(standing, position, normal, int(sign[labels[a]]), a, width)
            first, second = _block_triangles(code, rising, a, width)
            for k in range(2 if code == FULL else 1):
                p, q, r = first if k == 0 else second
                if sign[labels[p]] < 0:
                    q, r = r, q
                x, y, z = vertex[p], vertex[q], vertex[r]
                if x == y or y == z or z == x:
                    continue
                faces[count, 0], faces[count, 1], faces[count, 2] = x, y, z
                pixels[count, 0], pixels[count, 1], pixels[count, 2] = p, q, r
                if is_shared[x] or is_shared[y] or is_shared[z]:
                    suspects[suspect] = count
                    suspect += 1
                count += 1
    return faces[:count], pixels[:count], suspects[:suspect].copy()


@numba.njit(cache=True, nogil=True)
def _block_triangles(code: int, rising: bool, a: int, width: int) -> tuple[tuple, tuple]:
    """The corners of a block's two triangles, counter-clockwise; with three pixels only the first one counts."""
    b, c, d = a + 1, a + width + 1, a + width
    if code == FULL:
        return ((a, b, c), (a, c, d)) if rising else ((a, b, d), (b, c, d))
    if code == A | B | C:
        return (a, b, c), (a, b, c)
    if code == A | B | D:
        return (a, b, d), (a, b, d)
    if code == A | C | D:
        return (a, c, d), (a, c, d)
    return (b, c, d), (b, c, d)
