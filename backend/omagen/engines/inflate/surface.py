"""Triangles that are even *on the inflated surface*: edge splits, flips and tangential relaxation of the planar triangulation.

The surface is steep at its rim, so triangles that are even in the plane would be long there. As in isotropic remeshing
(Botsch and Kobbelt 2004) long edges are split, edges are flipped and vertices relaxed; unlike there the plane positions stay a
valid triangulation throughout, so the surface can neither fold nor leave its outline, and splitting stops at an exact count.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from omagen.engines.inflate.height import Height
from omagen.engines.inflate.planar import Planar
from omagen.engines.inflate.sizing import Sizing
from omagen.engines.inflate.triangles import Edges, collapsible, independent, sharpness, spread_out, upright

LONG = 1.4
"""Relative length from which edges are split first."""
SHORT = 0.5
"""Relative length below which edges are collapsed."""
BAD_ANGLE = 22.0
"""Angles, in degrees, below this are worth mending."""
FINAL_ROUNDS = 12
MENDING_ROUNDS = 12


class Surface:
    """One half of the object while it is being triangulated."""

    def __init__(self, planar: Planar, height: Height, sizing: Sizing, scale: float) -> None:
        """`scale`: height of the surface over √u; a small one gives a shallow surface."""
        self._height, self._sizing, self._scale = height, sizing, scale
        self.rim = planar.rim
        self._round = 0
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
            self._split(edges, independent(edges, np.where(chord, 1.0, 0.0), len(self.faces)))

    def refine(self, target: int, report: Callable[[float], None]) -> None:
        """Split the longest edges until there are `target` vertices, flipping and relaxing between the rounds."""
        start, limit = len(self.xy), LONG
        while len(self.xy) < target:
            report((len(self.xy) - start) / max(target - start, 1))
            edges = self.edges()
            length = self.relative_lengths(edges)
            chosen = independent(edges, np.where(length > limit, length, 0.0), len(self.faces))
            if len(chosen) < max(0.02 * (target - len(self.xy)), 1):
                limit *= 0.93
            room = target - len(self.xy)
            self._split(edges, chosen[np.argsort(-length[chosen], kind="stable")[:room]])
            self.flip(3)
            self.relax(0.5)

    def finish(self, target: int, report: Callable[[float], None]) -> None:
        """Even out: remove vertices that are too close, put them where edges are long, relax, and mend the worst angles."""
        for step in range(FINAL_ROUNDS):
            report(0.8 * step / FINAL_ROUNDS)
            if step in (1, 4, 7):
                self.collapse()
                self.refine(target, lambda fraction: None)
            self.relax(0.6)
            self.flip(3)
        self.flip(20)
        for step in range(MENDING_ROUNDS):
            report(0.8 + 0.2 * step / MENDING_ROUNDS)
            if not self.mend():
                break
            self.flip(4)

    def collapse(self) -> None:
        """Merge the ends of edges that are much too short, or the shortest side of a needle."""
        edges = self.edges()
        points, length = self.points, self.relative_lengths(edges)
        needle = np.maximum(
            sharpness(points, edges.a, edges.b, edges.c), sharpness(points, edges.b, edges.a, edges.d)
        ) > np.cos(np.radians(BAD_ANGLE))
        short = np.flatnonzero((length < SHORT) | (needle & (length < 0.7)))
        a, b = edges.a[short], edges.b[short]
        kept, removed = np.minimum(a, b), np.maximum(a, b)
        allowed = collapsible(self.faces, kept, removed, self.rim_count)
        kept, removed, score = kept[allowed], removed[allowed], -length[short[allowed]]
        first = np.unique(removed, return_index=True)[1]
        kept, removed, score = kept[first], removed[first], score[first]
        chosen = spread_out(removed, score, self.faces, len(self.xy), 2)
        self._merge(kept[chosen], removed[chosen])

    def _merge(self, kept: np.ndarray, removed: np.ndarray) -> None:
        """Replace vertices by neighbours, except where that would tip a triangle over."""
        into = np.arange(len(self.xy))
        for _ in range(2):
            into[:] = np.arange(len(self.xy))
            into[removed] = kept
            faces = into[self.faces]
            whole = (faces != np.roll(faces, 1, 1)).all(1)
            tipped = whole & ~upright(self.points, *faces.T)
            spoiled = np.isin(removed, self.faces[tipped])
            kept, removed = kept[~spoiled], removed[~spoiled]
            if not spoiled.any():
                break
        else:
            return
        stays = into == np.arange(len(self.xy))
        self.faces = (np.cumsum(stays) - 1)[faces[whole]]
        self.xy, self.z, self.normals = self.xy[stays], self.z[stays], self.normals[stays]

    def mend(self) -> bool:
        """Move the vertices of triangles with small angles to where the smallest angle around them is largest.

        Tries a few places around each (optimisation-based smoothing, Freitag and Ollivier-Gooch 1997). False if none are left.
        """
        points, count = self.points, len(self.xy)
        poor = sharpness(points, *self.faces.T)
        worst = np.zeros(count)
        np.maximum.at(worst, self.faces.ravel(), np.repeat(poor, 3))
        worst[: self.rim_count] = 0
        vertices = np.flatnonzero(worst > np.cos(np.radians(BAD_ANGLE)))
        if not len(vertices):
            return False
        self._round += 1
        jitter = np.sin(12.9898 * vertices + 78.233 * self._round) * 43758.5453 % 1.0
        vertices = vertices[spread_out(vertices, jitter, self.faces, count, 1)]
        face, corner = np.nonzero(np.isin(self.faces, vertices))
        owner = np.searchsorted(vertices, self.faces[face, corner])
        b, c = self.faces[face, (corner + 1) % 3], self.faces[face, (corner + 2) % 3]
        best, place = worst[vertices].copy(), self.xy[vertices].copy()
        reach = np.sqrt(np.bincount(owner, np.linalg.norm(points[b] - points[c], axis=1) ** 2) / np.bincount(owner))
        for xy in self._around(vertices, reach):
            z, _ = self._lift(xy)
            trial = np.concatenate([xy, z[:, None]], 1)
            every = np.concatenate([points, trial])
            own = count + owner
            bad = np.where(upright(every, own, b, c), sharpness(every, own, b, c), 2.0)
            now = np.zeros(len(vertices))
            np.maximum.at(now, owner, bad)
            better = (now < best - 1e-6) & (z > 0)
            best[better], place[better] = now[better], xy[better]
        self.xy = self.xy.copy()
        self.xy[vertices] = place
        z, normals = self._lift(place)
        self.z[vertices], self.normals[vertices] = z, normals
        return True

    def _around(self, vertices: np.ndarray, reach: np.ndarray) -> Iterator[np.ndarray]:
        """(n, 2) plane positions of surface points around `vertices`, in all directions, near and far."""
        normal = self.normals[vertices]
        across = np.stack([-normal[:, 1], normal[:, 0], np.zeros(len(normal))], 1)
        flat = np.linalg.norm(across, axis=1) < 1e-6
        across[flat] = [1.0, 0.0, 0.0]
        across /= np.linalg.norm(across, axis=1, keepdims=True)
        up = np.cross(normal, across)
        for far in (0.08, 0.2, 0.4):
            for angle in np.arange(8) * (np.pi / 4) + far:
                step = np.cos(angle) * across + np.sin(angle) * up
                yield self._projected(self.points[vertices] + far * reach[:, None] * step)

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
            before = np.maximum(sharpness(points, a, b, c), sharpness(points, b, a, d))
            after = np.maximum(sharpness(points, c, d, b), sharpness(points, d, c, a))
            chord = (c < self.rim_count) & (d < self.rim_count)
            gain = np.where(chord, 0.0, before - after)
            gain[gain < 1e-6] = 0.0
            worth = np.flatnonzero(gain)
            valid = upright(points, c[worth], d[worth], b[worth]) & upright(points, d[worth], c[worth], a[worth])
            gain[worth[~valid]] = 0.0
            chosen = independent(edges, gain, len(self.faces))
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
            bad = moved[self.faces].any(1) & ~upright(points, *self.faces.T)
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
