"""Triangles that are even *on the inflated surface*: edge splits, flips and tangential relaxation of the planar triangulation.

The surface is steep at its rim, so triangles that are even in the plane would be long there. As in isotropic remeshing
(Botsch and Kobbelt 2004) long edges are split, edges are flipped and vertices relaxed; unlike there the plane positions stay a
valid triangulation throughout, so the surface can neither fold nor leave its outline, and splitting stops at an exact count.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from omagen.engines.inflate.height import Height
from omagen.engines.inflate.planar import Planar
from omagen.engines.inflate.sizing import Sizing

STEEPEST = 1e-3
"""Triangles lean at most so far that their area in the plane is this share of their true area."""
LONG = 1.4
"""Relative length from which edges are split first."""
FINAL_ROUNDS = 12


@dataclass(frozen=True)
class Edges:
    """The inner edges of a triangulation: `a` to `b` in triangle `left`, whose third vertex is `c`; `d` is across, in `right`."""

    a: np.ndarray
    b: np.ndarray
    c: np.ndarray
    d: np.ndarray
    left: np.ndarray
    right: np.ndarray

    @classmethod
    def of(cls, faces: np.ndarray, count: int) -> Edges:
        start, end, across = faces.ravel(), np.roll(faces, -1, 1).ravel(), np.roll(faces, -2, 1).ravel()
        key = np.minimum(start, end) * count + np.maximum(start, end)
        order = np.argsort(key, kind="stable")
        same = np.flatnonzero(key[order[1:]] == key[order[:-1]])
        first, second = order[same], order[same + 1]
        return cls(start[first], end[first], across[first], across[second], first // 3, second // 3)


class Surface:
    """One half of the object while it is being triangulated."""

    def __init__(self, planar: Planar, height: Height, sizing: Sizing, scale: float) -> None:
        """`scale`: height of the surface over √u; a small one gives a shallow surface."""
        self._height, self._sizing, self._scale = height, sizing, scale
        self.rim = planar.rim
        self.rim_count = int(planar.rim.max()) + 1
        self.xy = planar.points * [1.0, -1.0]
        self.faces = planar.faces
        self.z, self.normals = self._lift(self.xy)
        self.z[: self.rim_count] = 0.0
        self._rim_normals = _outline_normals(self.xy, self.rim, self.rim_count)
        self.normals[: self.rim_count] = self._rim_normals

    def _lift(self, xy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """z and the unit normal, the gradient of z² - scale² u."""
        u, slope = self._height.potential(xy)
        z = self._scale * np.sqrt(u)
        normal = np.concatenate([-0.5 * self._scale**2 * slope, z[:, None]], 1)
        return z, normal / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)

    @property
    def points(self) -> np.ndarray:
        """(V, 3)"""
        return np.concatenate([self.xy, self.z[:, None]], 1)

    def edges(self) -> Edges:
        return Edges.of(self.faces, len(self.xy))

    def relative_lengths(self, edges: Edges) -> np.ndarray:
        """Edge lengths over what the sizing wants at their middles."""
        points = self.points
        middle = (self.xy[edges.a] + self.xy[edges.b]) / 2
        return np.linalg.norm(points[edges.a] - points[edges.b], axis=1) / self._sizing.at(middle * [1.0, -1.0])

    def area(self) -> float:
        """Surface area in units of the wanted edge length squared: what even triangles are counted by."""
        corners = self.points[self.faces]
        areas = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1) / 2
        return float(np.sum(areas / self._sizing.at(corners[:, :, :2].mean(1) * [1.0, -1.0]) ** 2))

    def mean_area(self) -> float:
        """Mean area of the triangles."""
        corners = self.points[self.faces]
        return (
            float(
                np.mean(np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1))
            )
            / 2
        )

    def split_chords(self) -> None:
        """Split every inner edge that joins two vertices of the outline: both halves of the object would share it."""
        while True:
            edges = self.edges()
            chord = (edges.a < self.rim_count) & (edges.b < self.rim_count)
            if not chord.any():
                return
            self._split(edges, _independent(edges, np.where(chord, 1.0, 0.0), len(self.faces)))

    def refine(self, target: int, report: Callable[[float], None]) -> None:
        """Split the longest edges until there are `target` vertices, flipping and relaxing between the rounds."""
        start, limit = len(self.xy), LONG
        while len(self.xy) < target:
            report((len(self.xy) - start) / max(target - start, 1))
            edges = self.edges()
            length = self.relative_lengths(edges)
            chosen = _independent(edges, np.where(length > limit, length, 0.0), len(self.faces))
            if len(chosen) < max(0.02 * (target - len(self.xy)), 1):
                limit *= 0.93
            room = target - len(self.xy)
            self._split(edges, chosen[np.argsort(-length[chosen], kind="stable")[:room]])
            self.flip(3)
            self.relax(0.5)

    def finish(self, report: Callable[[float], None]) -> None:
        for step in range(FINAL_ROUNDS):
            report(step / FINAL_ROUNDS)
            self.relax(0.6)
            self.flip(3)
        self.flip(20)

    def _split(self, edges: Edges, chosen: np.ndarray) -> None:
        if not len(chosen):
            return
        a, b, c, d = (index[chosen] for index in (edges.a, edges.b, edges.c, edges.d))
        new = len(self.xy) + np.arange(len(chosen))
        xy = self._halfway(a, b)
        z, normals = self._lift(xy)
        self.xy, self.z = np.concatenate([self.xy, xy]), np.concatenate([self.z, z])
        self.normals = np.concatenate([self.normals, normals])
        self.faces = self.faces.copy()
        self.faces[edges.left[chosen]] = np.stack([a, new, c], 1)
        self.faces[edges.right[chosen]] = np.stack([b, new, d], 1)
        self.faces = np.concatenate([self.faces, np.stack([new, b, c], 1), np.stack([new, a, d], 1)])

    def _halfway(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Points over the straight lines from a to b in the plane that halve the way on the surface."""
        t = np.linspace(0, 1, 9)
        u = np.stack([self.z[a] ** 2, self.z[b] ** 2], 1) / self._scale**2
        middle = self._height.potential((self.xy[a] + self.xy[b]) / 2)[0][:, None]
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

    def flip(self, rounds: int) -> None:
        """Flip edges while that makes the smallest angle of the two triangles larger, at most `rounds` times over."""
        points = self.points
        for _ in range(rounds):
            edges = self.edges()
            a, b, c, d = edges.a, edges.b, edges.c, edges.d
            before = np.maximum(_sharpness(points, a, b, c), _sharpness(points, b, a, d))
            after = np.maximum(_sharpness(points, c, d, b), _sharpness(points, d, c, a))
            chord = (c < self.rim_count) & (d < self.rim_count)
            gain = np.where(chord, 0.0, before - after)
            gain[gain < 1e-6] = 0.0
            worth = np.flatnonzero(gain)
            valid = _upright(points, c[worth], d[worth], b[worth]) & _upright(points, d[worth], c[worth], a[worth])
            gain[worth[~valid]] = 0.0
            chosen = _independent(edges, gain, len(self.faces))
            if not len(chosen):
                return
            self.faces = self.faces.copy()
            self.faces[edges.left[chosen]] = np.stack([c[chosen], d[chosen], b[chosen]], 1)
            self.faces[edges.right[chosen]] = np.stack([d[chosen], c[chosen], a[chosen]], 1)

    def relax(self, step: float) -> None:
        """Move inner vertices over the surface towards the weighted centre of the triangles around them (Lloyd's iteration)."""
        points, count = self.points, len(self.xy)
        corners = points[self.faces]
        centres = corners.mean(1)
        weight = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
        weight /= self._sizing.at(centres[:, :2] * [1.0, -1.0]) ** 4
        flat = self.faces.ravel()
        total = np.bincount(flat, np.repeat(weight, 3), count)
        goal = np.stack([np.bincount(flat, np.repeat(weight * centres[:, k], 3), count) for k in range(3)], 1)
        move = goal / np.maximum(total, 1e-12)[:, None] - points
        move -= np.sum(move * self.normals, 1, keepdims=True) * self.normals
        move[: self.rim_count] = 0.0
        self._try(self._projected(points + step * move))

    def _projected(self, points: np.ndarray) -> np.ndarray:
        """(V, 2) plane positions of the surface points nearest to (V, 3) `points`, to first order (one step of Newton)."""
        u, slope = self._height.potential(points[:, :2])
        value = points[:, 2] ** 2 - self._scale**2 * u
        gradient = np.concatenate([-(self._scale**2) * slope, 2 * points[:, 2:]], 1)
        step = value / np.maximum(np.sum(gradient**2, 1), 1e-9)
        return points[:, :2] - step[:, None] * gradient[:, :2]

    def _try(self, xy: np.ndarray) -> None:
        """Move to (V, 2) `xy` where no triangle tips over; vertices of triangles that would stay where they are."""
        xy[: self.rim_count] = self.xy[: self.rim_count]
        z, normals = self._lift(xy)
        z[: self.rim_count] = 0.0
        moved = z > 0
        for _ in range(8):
            keep = ~moved[:, None]
            points = np.concatenate([np.where(keep, self.xy, xy), np.where(moved, z, self.z)[:, None]], 1)
            bad = ~_upright(points, *self.faces.T)
            if not bad.any():
                self.xy, self.z = points[:, :2], points[:, 2]
                self.normals = np.where(keep, self.normals, normals)
                self.normals[: self.rim_count] = self._rim_normals
                return
            moved[self.faces[bad]] = False


def _outline_normals(xy: np.ndarray, rim: np.ndarray, count: int) -> np.ndarray:
    """(count, 3) unit outward normals of the outline at its vertices, where the surface is vertical."""
    along = xy[rim[:, 1]] - xy[rim[:, 0]]
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    normals = np.zeros((count, 3))
    for end in (0, 1):
        normals[rim[:, end], 0] += along[:, 1]
        normals[rim[:, end], 1] -= along[:, 0]
    return normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)


def _independent(edges: Edges, score: np.ndarray, faces: int) -> np.ndarray:
    """Indices of edges whose positive score is the highest in both their triangles, so that no two share a triangle."""
    order = np.argsort(score, kind="stable")
    rank = np.empty(len(score), np.int64)
    rank[order] = np.arange(1, len(score) + 1)
    rank[score <= 0] = 0
    best = np.zeros(faces, np.int64)
    np.maximum.at(best, edges.left, rank)
    np.maximum.at(best, edges.right, rank)
    return np.flatnonzero((rank > 0) & (rank == best[edges.left]) & (rank == best[edges.right]))


def _sharpness(points: np.ndarray, a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """Cosine of the smallest angle of triangles in space: 0.5 is even, 1 is degenerate."""
    p, q, r = points[a], points[b], points[c]
    x, y, z = (np.einsum("ij,ij->i", e, e) for e in (q - r, r - p, p - q))
    small = np.minimum(np.minimum(x, y), z)
    product = np.maximum(x * y * z / np.maximum(small, 1e-30), 1e-30)
    return (x + y + z - 2 * small) / (2 * np.sqrt(product))


def _upright(points: np.ndarray, a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """True for triangles that face up, steep at most as `STEEPEST` says."""
    normal = np.cross(points[b] - points[a], points[c] - points[a])
    return normal[:, 2] > STEEPEST * np.linalg.norm(normal, axis=1)
