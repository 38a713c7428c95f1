"""Small meshes that tests share."""

from __future__ import annotations

import numpy as np
from omagen.shapes import Material, Mesh, Texture


def cube(**changes: object) -> Mesh:
    """A unit cube around the origin: 8 shared vertices, 12 triangles, six UV charts, flat corner normals."""
    corners = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], np.float32) / 2
    quads = np.array([[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]])
    faces = quads[:, [0, 1, 2, 0, 2, 3]].reshape(-1, 3).astype(np.int32)
    square = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32) / 4
    uv = np.stack([square + np.array([column / 3, row / 2]) for row in (0, 1) for column in range(3)])
    uv = uv[:, [0, 1, 2, 0, 2, 3]].reshape(-1, 3, 2).astype(np.float32)
    a, b, c = (corners[faces[:, i]] for i in range(3))
    normals = np.cross(b - a, c - a)
    normals = np.repeat((normals / np.linalg.norm(normals, axis=1, keepdims=True))[:, None], 3, axis=1)
    fields = {"vertices": corners, "faces": faces, "uv": uv, "normals": normals, "name": "cube"}
    return Mesh(**(fields | changes))  # type: ignore[arg-type]


def noise(seed: int, channels: int = 3, size: int = 16) -> np.ndarray:
    """(size, size, channels) uint8"""
    return np.random.default_rng(seed).integers(0, 256, (size, size, channels), np.uint8)


def rich_material() -> Material:
    """A material in which every field differs from its default."""
    return Material(
        name="rich",
        base_color=(0.5, 0.25, 0.125, 0.75),
        metallic=0.5,
        roughness=0.25,
        emissive=(2.0, 1.0, 0.5),
        alpha_mode="MASK",
        alpha_cutoff=0.25,
        double_sided=True,
        base_color_texture=Texture(noise(0, 4), "clamp", "mirror"),
        metallic_roughness_texture=Texture(noise(1)),
        normal_texture=Texture(noise(2), "mirror", "repeat"),
        occlusion_texture=Texture(noise(3)),
        emissive_texture=Texture(noise(4), "repeat", "clamp"),
    )
