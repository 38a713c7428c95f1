"""The inflated surface while it is being triangulated: a planar triangulation and its height.

Triangles keep facing where the surface faces, so it cannot fold. Nearly everywhere they even stay upright in the plane;
only at notches of the outline, above which the surface has vertical creases, they may lean over by a hair.
"""

from __future__ import annotations

import numpy as np

from omagen.engines.inflate.height import Height
from omagen.engines.inflate.planar import Planar
from omagen.engines.inflate.sizing import Sizing
from omagen.engines.inflate.triangles import Edges, doubled_normals, independent, twins
from omagen.protocol import ErrorCode, OmagenError

STEEPEST = 1e-3
"""Triangles may lean at most so far that their area in the plane is this share of their true area, ..."""
ALIGNED = 0.3
"""... or else, where they may lean over, the cosine between their normal and the surface's must be this."""


class Surface:
    """One half of the object while it is being triangulated."""

    def __init__(self, planar: Planar, height: Height, sizing: Sizing, scale: float) -> None:
        """`scale`: height of the surface over √u; a small one gives a shallow surface."""
        self._height, self._sizing, self._scale = height, sizing, scale
        self.rim = planar.rim
        self.rim_count = int(planar.rim.max()) + 1
        self.xy = planar.points * [1.0, -1.0]
        self.may_lean = False
        """Whether triangles may lean over where the surface does not: needed at notches of the outline."""
        self.connect(planar.faces)
        self.near = planar.face_at_points()
        self.z, self.normals, self.near = self.lift(self.xy, self.near)
        self.z[: self.rim_count] = 0.0
        self.normals[: self.rim_count] = _outline_normals(self.xy, self.rim, self.rim_count)

    def connect(self, faces: np.ndarray, across: np.ndarray | None = None) -> None:
        """Replace the faces. `across`: their `twins` where they are known already."""
        self.faces, self._twins = faces, across

    @property
    def twins(self) -> np.ndarray:
        """(3 F,) the other half of each half-edge, -1 on the outline."""
        if self._twins is None:
            self._twins = twins(self.faces, len(self.xy))
        return self._twins

    def lift(self, xy: np.ndarray, near: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """z, the unit normal (the gradient of z² - scale² u), and the faces of the plane's triangulation at (n, 2)
        `xy`, looked for from (n,) `near`.
        """
        u, slope, face = self._height.potential(xy, near)
        z = self._scale * np.sqrt(u)
        normal = np.concatenate([-0.5 * self._scale**2 * slope, z[:, None]], 1)
        return z, normal / np.maximum(np.sqrt(np.einsum("ij,ij->i", normal, normal)), 1e-12)[:, None], face

    @property
    def points(self) -> np.ndarray:
        """(V, 3)"""
        return np.concatenate([self.xy, self.z[:, None]], 1)

    def bend_radii(self) -> np.ndarray:
        """(V,) radius of the circle that touches the surface here and crosses the plane z = 0 at a right angle."""
        return np.hypot(
            0.5 * self._scale**2 * np.linalg.norm(self._height.potential(self.xy, self.near)[1], axis=1), self.z
        )

    def edges(self) -> Edges:
        half = np.flatnonzero(self.twins > np.arange(self.faces.size))
        return Edges.of(self.faces, half, self.twins[half])

    def sound(
        self, faces: np.ndarray, points: np.ndarray | None = None, normals: np.ndarray | None = None
    ) -> np.ndarray:
        """(n,) bool: whether triangles (n, 3) face as they must, with its vertices at `points` if given."""
        points, normals = self.points if points is None else points, self.normals if normals is None else normals
        a, b, c = faces.T
        return self.facing(doubled_normals(points[a], points[b], points[c]), normals[a] + normals[b] + normals[c])

    def facing(self, doubled: np.ndarray, normals: np.ndarray) -> np.ndarray:
        """(n,) bool: whether triangles with `doubled_normals` (n, 3) face up or, where they may lean over, in the
        direction of (n, 3) sums of the surface's unit normals at their corners.
        """
        size = np.sqrt(np.einsum("ij,ij->i", doubled, doubled))
        up = doubled[:, 2] > STEEPEST * size
        if not self.may_lean:
            return up
        return up | (np.einsum("ij,ij->i", doubled, normals) > 3 * ALIGNED * size)

    def relative_lengths(self, edges: Edges) -> np.ndarray:
        """Edge lengths over what the sizing wants at their middles."""
        points = self.points
        middle = (self.xy[edges.a] + self.xy[edges.b]) / 2
        return np.linalg.norm(points[edges.a] - points[edges.b], axis=1) / self._sizing.at(middle * [1.0, -1.0])

    def area(self) -> float:
        """Surface area in units of the wanted edge length squared: what even triangles are counted by."""
        areas = self._areas()
        return float(np.sum(areas / self._sizing.at(self.xy[self.faces].mean(1) * [1.0, -1.0]) ** 2))

    def mean_area(self) -> float:
        """Mean area of the triangles."""
        return float(np.mean(self._areas()))

    def _areas(self) -> np.ndarray:
        return np.linalg.norm(doubled_normals(*(self.points[self.faces[:, k]] for k in range(3))), axis=1) / 2

    def split_chords(self) -> None:
        """Split every inner edge that joins two vertices of the outline: both halves of the object would share it."""
        left = len(self.faces) * 3
        while True:
            edges = self.edges()
            chord = (edges.a < self.rim_count) & (edges.b < self.rim_count)
            if not chord.any():
                return
            if chord.sum() >= left:  # every one that is split is one less, in a triangulation that is one
                raise OmagenError(
                    ErrorCode.GEOMETRY, "The object's outline is too intricate to be inflated.",
                    "Supply a mask with a simpler outline, or use a smaller picture.",
                )  # fmt: skip
            left = chord.sum()
            self.split(edges, independent(edges, np.where(chord, 1.0, 0.0), len(self.faces)))

    def split(self, edges: Edges, chosen: np.ndarray) -> int:
        """Split the inner edges `chosen`, indices of edges that share no triangle, halfway along the surface.

        Where triangles may lean over, edges stay whole whose middle would be outside the outline or tip a triangle
        over. Returns how many were split.
        """
        a, b, c, d = (index[chosen] for index in (edges.a, edges.b, edges.c, edges.d))
        if self.may_lean:
            xy = self.projected((self.points[a] + self.points[b]) / 2, self.near[a])
        else:
            xy = self._halfway(a, b)
        z, normals, near = self.lift(xy, self.near[a])
        new, count = len(self.xy) + np.arange(len(chosen)), len(chosen)
        grown = [np.concatenate(pair) for pair in zip(self._placed(), (xy, z, normals, near), strict=True)]
        points = np.concatenate([grown[0], grown[1][:, None]], 1)
        parts = [np.stack(part, 1) for part in ((a, new, c), (b, new, d), (new, b, c), (new, a, d))]
        if self.may_lean:
            good = (z > 0) & self.sound(np.concatenate(parts), points, grown[2]).reshape(4, count).all(0)
            if not good.all():
                return self.split(edges, chosen[good]) if good.any() else 0
        self.xy, self.z, self.normals, self.near = grown
        faces = self.faces.copy()
        faces[edges.left[chosen]], faces[edges.right[chosen]] = parts[:2]
        self.connect(np.concatenate([faces, *parts[2:]]))
        return count

    def _placed(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        return self.xy, self.z, self.normals, self.near

    def _halfway(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Points over the straight lines from a to b in the plane that halve the way on the surface."""
        t = np.linspace(0, 1, 9)
        u = np.stack([self.z[a] ** 2, self.z[b] ** 2], 1) / self._scale**2
        middle = self._height.potential((self.xy[a] + self.xy[b]) / 2, self.near[a])[0][:, None]
        along = u[:, :1] * (1 - t) * (1 - 2 * t) + u[:, 1:] * t * (2 * t - 1) + 4 * middle * t * (1 - t)
        z = self._scale * np.sqrt(np.maximum(along, 0))
        steps = np.hypot(np.diff(z, axis=1), np.linalg.norm(self.xy[a] - self.xy[b], axis=1)[:, None] / 8)
        way = np.concatenate([np.zeros((len(a), 1)), np.cumsum(steps, 1)], 1)
        half = way[:, -1:] / 2
        k = np.clip(np.sum(way < half, 1) - 1, 0, 7)
        row = np.arange(len(a))
        at = (k + (half[:, 0] - way[row, k]) / np.maximum(steps[row, k], 1e-12)) / 8
        at = np.clip(at, 0.05, 0.95)[:, None]
        return self.xy[a] * (1 - at) + self.xy[b] * at

    def move(self, vertices: np.ndarray, xy: np.ndarray, z: np.ndarray, normals: np.ndarray, near: np.ndarray) -> None:
        """Put (n,) inner `vertices` to where `lift` found the surface."""
        self.xy, self.z, self.normals, self.near = (a.copy() for a in (self.xy, self.z, self.normals, self.near))
        self.xy[vertices], self.z[vertices], self.normals[vertices], self.near[vertices] = xy, z, normals, near

    def relax(self, step: float) -> None:
        """Move inner vertices over the surface towards the weighted centre of the triangles around them (Lloyd's
        iteration).
        """
        points, count = self.points, len(self.xy)
        corners = [points[self.faces[:, k]] for k in range(3)]
        centres = (corners[0] + corners[1] + corners[2]) / 3
        weight = np.linalg.norm(doubled_normals(*corners), axis=1)
        weight /= self._sizing.at(centres[:, :2] * [1.0, -1.0]) ** 4
        flat = self.faces.ravel()
        total = np.bincount(flat, np.repeat(weight, 3), count)
        goal = np.stack([np.bincount(flat, np.repeat(weight * centres[:, k], 3), count) for k in range(3)], 1)
        move = goal / np.maximum(total, 1e-12)[:, None] - points
        move -= np.einsum("ij,ij->i", move, self.normals)[:, None] * self.normals
        move[: self.rim_count] = 0.0
        self._try(self.projected(points + step * move, self.near))

    def projected(self, points: np.ndarray, near: np.ndarray) -> np.ndarray:
        """(n, 2) plane positions of the surface points nearest to (n, 3) `points`, to first order (one step of
        Newton). `near`: as in `lift`.
        """
        u, slope, _ = self._height.potential(points[:, :2], near)
        value = points[:, 2] ** 2 - self._scale**2 * u
        gradient = np.concatenate([-(self._scale**2) * slope, 2 * points[:, 2:]], 1)
        step = value / np.maximum(np.einsum("ij,ij->i", gradient, gradient), 1e-9)
        return points[:, :2] - step[:, None] * gradient[:, :2]

    def _try(self, xy: np.ndarray) -> None:
        """Move to (V, 2) `xy` where no triangle tips over; vertices of triangles that would stay where they are."""
        z, normals, near = self.lift(xy, self.near)
        moved = z > 0
        moved[: self.rim_count] = False
        stays = ~moved
        points = np.concatenate([xy, z[:, None]], 1)
        before, faces = self.points, self.faces
        for _ in range(8):
            points[stays], normals[stays], near[stays] = before[stays], self.normals[stays], self.near[stays]
            bad = faces[~self.sound(faces, points, normals)]
            stays = np.zeros(len(xy), bool)
            stays[bad] = moved[bad]
            if not stays.any():
                self.xy, self.z, self.normals, self.near = points[:, :2], points[:, 2], normals, near
                return
            moved &= ~stays
            faces = self.faces[stays[self.faces].any(1)]


def _outline_normals(xy: np.ndarray, rim: np.ndarray, count: int) -> np.ndarray:
    """(count, 3) unit outward normals of the outline at its vertices, where the surface is vertical."""
    along = xy[rim[:, 1]] - xy[rim[:, 0]]
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    normals = np.zeros((count, 3))
    for end in (0, 1):
        normals[rim[:, end], 0] += along[:, 1]
        normals[rim[:, end], 1] -= along[:, 0]
    return normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
