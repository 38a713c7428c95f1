"""Meshes that nobody has drawn, made from a few numbers: the shapes that break encoders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from omagen.shapes import Material, Mesh, Texture


def lattice(rows: int, columns: int, *, wraps: tuple[bool, bool]) -> np.ndarray:
    """(F, 3) int32: two triangles for each cell of a lattice of rows x columns points, joined at its ends or not."""
    i, j = np.meshgrid(np.arange(rows - (not wraps[0])), np.arange(columns - (not wraps[1])), indexing="ij")
    a, b, c, d = (((i + k) % rows) * columns + (j + m) % columns for k, m in ((0, 0), (0, 1), (1, 1), (1, 0)))
    return np.stack([np.stack([a, b, c], -1), np.stack([a, c, d], -1)], -2).reshape(-1, 3).astype(np.int32)


def torus(seed: int, rough: float, size: tuple[int, int], thickness: float) -> Mesh:
    rng = np.random.default_rng(seed)
    around, across = np.meshgrid(*(2 * np.pi * np.arange(n) / n for n in size), indexing="ij")
    radius = 1 + thickness * np.cos(across) * (1 + rough * rng.uniform(-1, 1, size))
    points = np.stack([radius * np.cos(around), radius * np.sin(around), thickness * np.sin(across)], -1)
    return Mesh(points.reshape(-1, 3).astype(np.float32), lattice(*size, wraps=(True, True)))


def sheet(seed: int, rough: float, size: tuple[int, int], holes: int) -> Mesh:
    """An open surface, hilly, with single faces missing."""
    rng = np.random.default_rng(seed)
    x, y = np.meshgrid(*(np.arange(n, dtype=float) for n in size), indexing="ij")
    points = np.stack([x, y, rough * rng.uniform(-2, 2, size)], -1)
    faces = lattice(*size, wraps=(False, False))
    kept = np.ones(len(faces), bool)
    kept[rng.choice(len(faces), min(holes, len(faces) - 2), replace=False)] = False
    return Mesh(points.reshape(-1, 3).astype(np.float32), faces[kept])


def tube(length: float, radius: float, sides: int, rings: int) -> Mesh:
    """A closed tube with pointed ends, straight along z."""
    angle = 2 * np.pi * np.arange(sides) / sides
    height = length * (np.arange(rings) + 0.5) / rings
    ring = np.stack([radius * np.cos(angle), radius * np.sin(angle)], -1)
    points = np.concatenate([np.tile(ring, (rings, 1)), np.repeat(height, sides)[:, None]], axis=1)
    ends = np.array([[0, 0, 0], [0, 0, length]])
    first, last = rings * sides, rings * sides + 1
    k = np.arange(sides)
    caps = [np.stack([np.full(sides, first), (k + 1) % sides, k], -1)]
    caps.append(np.stack([np.full(sides, last), k + (rings - 1) * sides, (k + 1) % sides + (rings - 1) * sides], -1))
    # The lattice has its rings along rows; its triangles face inward, so they are turned.
    body = lattice(rings, sides, wraps=(False, True))
    return Mesh(np.concatenate([points, ends]).astype(np.float32), np.concatenate([body, *caps]).astype(np.int32))


def moebius(width: float, size: tuple[int, int], halves: int) -> Mesh:
    """A band that has been turned `halves` half turns; with an odd number it has one side only."""
    rows, columns = size
    around = 2 * np.pi * np.arange(rows) / rows
    across = width * (np.arange(columns) / (columns - 1) - 0.5)
    turn = halves * around / 2
    radius = 1 + np.cos(turn)[:, None] * across
    points = np.stack([radius * np.cos(around)[:, None], radius * np.sin(around)[:, None]], -1)
    points = np.concatenate([points, (np.sin(turn)[:, None] * across)[..., None]], axis=-1)
    faces = lattice(rows + 1, columns, wraps=(False, False))
    number = np.arange((rows + 1) * columns)
    last = number[rows * columns :] - rows * columns
    number[rows * columns :] = last[::-1] if halves % 2 else last
    return Mesh(points.reshape(-1, 3).astype(np.float32), number[faces].astype(np.int32))


def fan(leaves: int, size: int) -> Mesh:
    """Sheets that share one edge line, `leaves` faces to each of its edges."""
    along = np.arange(size + 1, dtype=float) / size
    angle = 2 * np.pi * np.arange(leaves) / leaves
    spine = np.stack([0 * along, 0 * along, along], -1)
    tips = np.stack([np.stack([np.full(size + 1, np.cos(a)), np.full(size + 1, np.sin(a)), along], -1) for a in angle])
    k = np.arange(size)
    faces = []
    for leaf in range(leaves):
        tip = (leaf + 1) * (size + 1) + k
        faces += [np.stack([k, tip, tip + 1], -1), np.stack([k, tip + 1, k + 1], -1)]
    points = np.concatenate([spine, tips.reshape(-1, 3)])
    return Mesh(points.astype(np.float32), np.concatenate(faces).astype(np.int32))


def crumbs(seed: int, count: int, smallest: float) -> Mesh:
    """Many tetrahedra of sizes from `smallest` to 1, one beside the other."""
    rng = np.random.default_rng(seed)
    corners = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], float)
    faces = np.array([[0, 2, 1], [0, 1, 3], [1, 2, 3], [0, 3, 2]])
    size = smallest ** rng.uniform(0, 1, count)
    place = np.stack([np.arange(count) % 8, np.arange(count) // 8, np.zeros(count)], -1) * 1.2
    points = corners[None] * size[:, None, None] + place[:, None]
    return Mesh(
        points.reshape(-1, 3).astype(np.float32),
        (faces[None] + 4 * np.arange(count)[:, None, None]).reshape(-1, 3).astype(np.int32),
    )


def single_triangle(corners: np.ndarray) -> Mesh:
    return Mesh(corners.astype(np.float32), np.array([[0, 1, 2]], np.int32))


def joined(meshes: Sequence[Mesh]) -> Mesh:
    """All of them beside each other, as one mesh."""
    width = max(float(np.ptp(mesh.vertices[:, 0])) for mesh in meshes) * 1.1
    starts = np.cumsum([0, *(len(mesh.vertices) for mesh in meshes[:-1])])
    vertices = [mesh.vertices + np.array([width * n, 0, 0], np.float32) for n, mesh in enumerate(meshes)]
    return Mesh(
        np.concatenate(vertices),
        np.concatenate([mesh.faces + np.int32(n) for n, mesh in zip(starts, meshes, strict=True)]),
    )


def with_duplicates(mesh: Mesh, seed: int) -> Mesh:
    """Some faces twice, beginning at another corner: nothing of that is to be seen."""
    rng = np.random.default_rng(seed)
    again = mesh.faces[rng.choice(len(mesh.faces), max(len(mesh.faces) // 5, 1))]
    return replace(mesh, faces=np.concatenate([mesh.faces, np.roll(again, 1, axis=1)]))


def with_slivers(mesh: Mesh, seed: int) -> Mesh:
    """Edges that have got a vertex in their middle on one side and a face without area that fills the slit."""
    rng = np.random.default_rng(seed)
    chosen = rng.choice(len(mesh.faces), max(len(mesh.faces) // 6, 1), replace=False)
    a, b, c = mesh.faces[chosen].T
    middle = (mesh.vertices[a] + mesh.vertices[b]) / 2
    m = np.arange(len(chosen), dtype=np.int32) + len(mesh.vertices)
    kept = np.delete(mesh.faces, chosen, axis=0)
    more = [np.stack([a, m, c], -1), np.stack([m, b, c], -1), np.stack([a, b, m], -1)]
    return Mesh(
        np.concatenate([mesh.vertices, middle]).astype(np.float32), np.concatenate([kept, *more]).astype(np.int32)
    )


def with_bad_uv(mesh: Mesh, seed: int, kind: str) -> Mesh:
    """UVs that are no good layout, one of `BAD_UV`; `far` is far out of the unit square, `point` all in one place."""
    rng = np.random.default_rng(seed)
    flat = mesh.vertices[:, :2] - mesh.vertices[:, :2].min(axis=0)
    uv = (flat / max(float(flat.max()), 1e-30))[mesh.faces].astype(np.float64)
    match kind:
        case "noise":
            uv = rng.uniform(-2, 3, uv.shape)
        case "mirrored":
            uv[::2, :, 0] *= -1
        case "far":
            uv = uv * 1e4 - 5e3
        case "point":
            uv[:] = 0.5
        case "nan":
            uv[rng.integers(len(uv))] = np.nan
        case "folded":
            uv = np.abs(uv - 0.5)
    return replace(mesh, uv=np.ascontiguousarray(uv, np.float32))


def with_materials(mesh: Mesh, seed: int, sizes: Sequence[tuple[int, int]]) -> Mesh:
    """A material for each of `sizes` with textures (H, W) of that size, faces shared out at random."""
    rng = np.random.default_rng(seed)

    def texture(size: tuple[int, int], channels: int) -> Texture:
        wrap = rng.choice(["repeat", "clamp", "mirror"], 2)
        return Texture(rng.integers(0, 256, (*size, channels), np.uint8), *map(str, wrap))  # type: ignore[arg-type]

    materials = tuple(
        Material(
            base_color_texture=texture(size, 4),
            metallic_roughness_texture=texture((size[1], size[0]), 3),
            normal_texture=texture(size, 3),
            emissive=(1.0, 2.0, 0.0),
            emissive_texture=texture((1, 1), 3),
            alpha_mode=("OPAQUE", "MASK", "BLEND")[rng.integers(3)],
            double_sided=bool(rng.integers(2)),
        )
        for size in sizes
    )
    index = rng.integers(0, len(materials), len(mesh.faces)).astype(np.int32)
    mesh = mesh if mesh.uv is not None else with_bad_uv(mesh, seed, "overlap")
    return replace(mesh, materials=materials, material_index=index)


def moved(mesh: Mesh, scale: float, place: float) -> Mesh:
    """`mesh` times `scale`, then moved by `place` along every axis, as far as float32 can tell."""
    return replace(mesh, vertices=(mesh.vertices * np.float32(scale) + np.float32(place)))


BAD_UV: Final = ("noise", "overlap", "mirrored", "far", "point", "nan", "folded")
