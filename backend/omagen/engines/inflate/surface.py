"""The inflated surface while it is being triangulated: a planar triangulation and its height.

The plane positions stay a valid triangulation throughout, so the surface can neither fold nor leave its outline.
"""

from __future__ import annotations

import numpy as np

from omagen.engines.inflate.height import Height
from omagen.engines.inflate.planar import Planar
from omagen.engines.inflate.sizing import Sizing
from omagen.engines.inflate.triangles import Edges, independent, sharpness, upright


class Surface:
    """One half of the object while it is being triangulated."""

    def __init__(self, planar: Planar, height: Height, sizing: Sizing, scale: float) -> None:
        """`scale`: height of the surface over √u; a small one gives a shallow surface."""
        self._height, self._sizing, self._scale = height, sizing, scale
        self.rim = planar.rim
        self.rim_count = int(planar.rim.max()) + 1
        self.xy = planar.points * [1.0, -1.0]
        self.faces = planar.faces
        self.z, self.normals = self.lift(self.xy)
        self.z[: self.rim_count] = 0.0
        self._rim_normals = _outline_normals(self.xy, self.rim, self.rim_count)
        self.normals[: self.rim_count] = self._rim_normals

    def lift(self, xy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """z and the unit normal, the gradient of z² - scale² u."""
        u, slope = self._height.potential(xy)
        z = self._scale * np.sqrt(u)
        normal = np.concatenate([-0.5 * self._scale**2 * slope, z[:, None]], 1)
        return z, normal / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)

    @property
    def points(self) -> np.ndarray:
        """(V, 3)"""
        return np.concatenate([self.xy, self.z[:, None]], 1)

    def bend_radii(self) -> np.ndarray:
        """(V,) radius of the circle that touches the surface here and crosses the plane z = 0 at a right angle."""
        return np.hypot(0.5 * self._scale**2 * np.linalg.norm(self._height.potential(self.xy)[1], axis=1), self.z)

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
            self.split(edges, independent(edges, np.where(chord, 1.0, 0.0), len(self.faces)))

    def split(self, edges: Edges, chosen: np.ndarray) -> None:
        """Split the inner edges `chosen`, indices of edges that share no triangle, halfway along the surface."""
        if not len(chosen):
            return
        a, b, c, d = (index[chosen] for index in (edges.a, edges.b, edges.c, edges.d))
        new = len(self.xy) + np.arange(len(chosen))
        xy = self._halfway(a, b)
        z, normals = self.lift(xy)
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
            pa, pb, pc, pd = (points[index] for index in (a, b, c, d))
            before = np.maximum(sharpness(pa, pb, pc), sharpness(pb, pa, pd))
            after = np.maximum(sharpness(pc, pd, pb), sharpness(pd, pc, pa))
            chord = (c < self.rim_count) & (d < self.rim_count)
            gain = np.where(chord, 0.0, before - after)
            gain[gain < 1e-6] = 0.0
            worth = np.flatnonzero(gain)
            pa, pb, pc, pd = (corner[worth] for corner in (pa, pb, pc, pd))
            gain[worth[~(upright(pc, pd, pb) & upright(pd, pc, pa))]] = 0.0
            chosen = independent(edges, gain, len(self.faces))
            if not len(chosen):
                return
            self.faces = self.faces.copy()
            self.faces[edges.left[chosen]] = np.stack([c[chosen], d[chosen], b[chosen]], 1)
            self.faces[edges.right[chosen]] = np.stack([d[chosen], c[chosen], a[chosen]], 1)

    def relax(self, step: float) -> None:
        """Move inner vertices over the surface towards the weighted centre of the triangles around them (Lloyd's
        iteration).
        """
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
        self._try(self.projected(points + step * move))

    def projected(self, points: np.ndarray) -> np.ndarray:
        """(V, 2) plane positions of the surface points nearest to (V, 3) `points`, to first order (one step of
        Newton).
        """
        u, slope = self._height.potential(points[:, :2])
        value = points[:, 2] ** 2 - self._scale**2 * u
        gradient = np.concatenate([-(self._scale**2) * slope, 2 * points[:, 2:]], 1)
        step = value / np.maximum(np.sum(gradient**2, 1), 1e-9)
        return points[:, :2] - step[:, None] * gradient[:, :2]

    def _try(self, xy: np.ndarray) -> None:
        """Move to (V, 2) `xy` where no triangle tips over; vertices of triangles that would stay where they are."""
        xy[: self.rim_count] = self.xy[: self.rim_count]
        z, normals = self.lift(xy)
        z[: self.rim_count] = 0.0
        moved = z > 0
        for _ in range(8):
            keep = ~moved[:, None]
            points = np.concatenate([np.where(keep, self.xy, xy), np.where(moved, z, self.z)[:, None]], 1)
            bad = moved[self.faces].any(1) & ~upright(*points[self.faces].swapaxes(0, 1))
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
