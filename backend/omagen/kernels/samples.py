"""Small objects that need every kernel: closed, open and broken, with and without UVs, normals and textures."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from omagen.shapes import Material, Mesh, Omage, Texture

_QUADS: Final = ((0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3))


def box() -> Mesh:
    """A cube with six charts as a good layout of the unit square, two textured materials and vertex colours."""
    vertices = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], np.float32) / 2
    faces = _triangles(np.array(_QUADS))
    square = np.array([[0.1, 0.1], [0.9, 0.1], [0.9, 0.9], [0.1, 0.9]])
    quads = np.stack([(square + np.array([column, row])) / [3, 2] for row in range(2) for column in range(3)])
    uv = np.ascontiguousarray(_triangles(quads), np.float32)
    a, b, c = (vertices[faces[:, corner]] for corner in range(3))
    normals = np.repeat(np.cross(b - a, c - a)[:, None], 3, axis=1)
    pixels = np.random.default_rng(0).integers(0, 256, (16, 16, 4), np.uint8)
    turned = (0.0, -2.0, 1.0, 2.0, 0.0, 0.0)
    rich = Material(
        "rich",
        emissive=(1.0, 1.0, 1.0),
        alpha_mode="BLEND",
        base_color_texture=Texture(pixels, "clamp", "mirror"),
        metallic_roughness_texture=Texture(pixels[..., :3].copy(), "mirror", "clamp"),
        normal_texture=Texture(pixels[..., :3].copy(), uv_set=1),
        emissive_texture=Texture(pixels[..., :3].copy(), transform=turned),
    )
    plain = Material("plain", base_color_texture=Texture(pixels[..., :3].copy()))
    return Mesh(
        vertices,
        faces,
        uv,
        np.ascontiguousarray(normals, np.float32),
        colors=np.full((len(vertices), 4), 0.5, np.float32),
        material_index=np.repeat(np.arange(2, dtype=np.int32), 6),
        materials=(rich, plain),
        second_uv=uv,
    )


def ball(columns: int, rows: int) -> Mesh:
    """A closed, bumpy ball of 2 x `columns` x (`rows` - 1) triangles without UVs or normals."""
    turn = np.arange(columns) * (2 * np.pi / columns)
    fall = np.arange(1, rows) * (np.pi / rows)
    radius = 1 + 0.15 * np.sin(3 * turn[None]) * np.sin(4 * fall[:, None])
    across, height = radius * np.sin(fall)[:, None], radius * np.cos(fall)[:, None]
    rings = np.stack([across * np.cos(turn), height, -across * np.sin(turn)], axis=2)
    vertices = np.concatenate([rings.reshape(-1, 3), [[0, 1, 0], [0, -1, 0]]])
    number = np.arange(columns * (rows - 1)).reshape(rows - 1, columns)
    right = np.roll(number, -1, axis=1)
    quads = np.stack([number[:-1], number[1:], right[1:], right[:-1]], axis=2).reshape(-1, 4)
    pole = np.full(columns, len(vertices) - 2)
    caps = [np.stack([pole, number[0], right[0]], 1), np.stack([pole + 1, right[-1], number[-1]], 1)]
    faces = np.concatenate([_triangles(quads), *caps])
    return Mesh(vertices.astype(np.float32), np.ascontiguousarray(faces, np.int32))


def broken() -> Mesh:
    """An open sheet with a fin, a face without area, one that is there twice, and UVs that fold and overlap."""
    side = 6
    row, column = np.divmod(np.arange(side * side), side)
    bend = np.sin(row) / 4
    vertices = np.stack([column, bend, -row], axis=1).astype(np.float32)
    vertices = np.concatenate([vertices, [[2.5, 2, -2.5], [0.5, -1, -1]]]).astype(np.float32)
    first = (np.arange(side - 1)[:, None] * side + np.arange(side - 1)).reshape(-1)
    sheet = _triangles(np.stack([first, first + 1, first + side + 1, first + side], axis=1))
    odd = [[14, 15, side * side], [14, 14, 15], sheet[0], [0, 7, side * side + 1]]
    faces = np.concatenate([sheet, odd]).astype(np.int32)
    uv = np.stack([column, np.abs(row - 2)], axis=1).astype(np.float32) / side
    uv = np.concatenate([uv, [[0.1, 0.9], [0.2, 0.3]]]).astype(np.float32)
    return Mesh(vertices, faces, np.ascontiguousarray(uv[faces]), materials=(Material(),))


def sheets(resolution: int) -> Omage:
    """A cube's six sides as pictures of a generator: no side data, borders that nearly meet, a hole, stray pixels."""
    size = resolution // 3 - 2
    position = np.zeros((resolution, resolution, 3), np.float32)
    occupancy = np.zeros((resolution, resolution), bool)
    normal = np.zeros_like(position)
    along = np.linspace(-0.8, 0.8, size, dtype=np.float32)
    noise = np.random.default_rng(0).normal(0, 0.002, (6, size, size, 3))
    for side in range(6):
        axis, sign = side // 2, 1 - 2 * (side % 2)
        face = np.zeros((size, size, 3), np.float32)
        face[..., axis] = 0.8 * sign
        face[..., (axis + 1) % 3] = along[None] * sign
        face[..., (axis + 2) % 3] = along[:, None]
        row, column = (side // 3) * (size + 2) + 1, (side % 3) * (size + 2) + 1
        place = (slice(row, row + size), slice(column, column + size))
        position[place] = face + noise[side]
        occupancy[place] = True
        normal[*place, axis] = sign
    occupancy[8:10, 8:10] = False
    position[4, 5:7] += 0.4
    albedo, even = np.full_like(position, 0.5), np.full(occupancy.shape, 0.5, np.float32)
    return Omage(position, occupancy, normal, albedo, metalness=even, roughness=even)


def zipped(resolution: int) -> Omage:
    """A chart that closes upon itself within a pixel, so that its edges coincide and its triangles fold."""
    omage = sheets(resolution)
    chart, seam = (np.full(omage.occupancy.shape, -1, np.int32) for _ in range(2))
    chart[omage.occupancy] = 0
    rows = np.arange(2, 7)
    chart[1:8, 4:] = -1
    seam[rows, 1] = seam[rows, 3] = rows
    seam[22:40, 1:19] = 10 + np.random.default_rng(0).integers(0, 30, (18, 18))
    return replace(omage, occupancy=chart >= 0, chart=chart, seam=seam)


def wound() -> tuple[Mesh, np.ndarray]:
    """A ribbon, and places (F, 3, 2) for its corners that wind twice around a point, one of its faces without area."""
    steps = 40
    turn = np.linspace(0, 4 * np.pi, steps)
    inner = np.stack([np.cos(turn), np.sin(turn)], axis=1)
    places = np.stack([inner, 2 * inner], axis=1).reshape(-1, 2)
    places[0] = places[1]
    first = 2 * np.arange(steps - 1)
    faces = _triangles(np.stack([first, first + 1, first + 3, first + 2], axis=1)).astype(np.int32)
    flat = np.stack([np.repeat(np.arange(steps), 2), np.tile([0, 1], steps), np.zeros(2 * steps)], axis=1)
    return Mesh(flat.astype(np.float32), np.ascontiguousarray(faces)), places[faces]


def _triangles(quads: np.ndarray) -> np.ndarray:
    """(2 Q, 3, ...) from (Q, 4, ...)"""
    return quads[:, [0, 1, 2, 0, 2, 3]].reshape(-1, 3, *quads.shape[2:])
