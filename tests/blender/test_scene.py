"""Images become requests, result files become objects: every check of `scene_checks.py`, in each Blender."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from in_blender import BLENDERS, checks_in, run
from omagen.io.glb_writer import write_glb
from omagen.shapes import Material, Mesh, Texture

CHECKS_FILE = Path(__file__).with_name("scene_checks.py")


def sphere(rings: int = 12, sectors: int = 24) -> tuple[np.ndarray, np.ndarray]:
    """Vertices (V, 3) float32 and outward triangles (F, 3) int32 of a unit sphere."""
    polar = np.pi * np.arange(1, rings) / rings
    around = 2 * np.pi * np.arange(sectors) / sectors
    body = np.stack(
        [np.outer(np.sin(polar), np.sin(around)), np.outer(np.cos(polar), np.ones(sectors)),
         np.outer(np.sin(polar), np.cos(around))], -1,
    ).reshape(-1, 3)  # fmt: skip
    vertices = np.concatenate([body, [[0, 1, 0], [0, -1, 0]]]).astype(np.float32)
    top, bottom = len(body), len(body) + 1
    i = np.arange(sectors)
    j = (i + 1) % sectors
    faces = [np.stack([np.full(sectors, top), i, j], 1)]
    for ring in range(rings - 2):
        a, b = ring * sectors, (ring + 1) * sectors
        faces += [np.stack([a + i, b + i, b + j], 1), np.stack([a + i, b + j, a + j], 1)]
    last = (rings - 2) * sectors
    faces.append(np.stack([np.full(sectors, bottom), last + j, last + i], 1))
    return vertices, np.concatenate(faces).astype(np.int32)


def full_mesh() -> Mesh:
    """All that a result can hold: UVs, sharp normals, vertex colours, three materials, every kind of texture."""
    vertices, faces = sphere()
    corners = vertices[faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    pixels = np.arange(2 * 4 * 4, dtype=np.uint8).reshape(2, 4, 4) * 4
    pixels[0, 0] = (10, 20, 30, 255)
    plain = np.full((2, 4, 3), 128, np.uint8)
    paint = Material(
        "paint",
        (1, 0.5, 0.25, 1),
        metallic=1.0,
        roughness=0.5,
        emissive=(4, 2, 1),
        base_color_texture=Texture(pixels, "clamp", "clamp"),
        metallic_roughness_texture=Texture(plain.copy()),
        normal_texture=Texture(plain.copy(), "mirror", "mirror"),
        occlusion_texture=Texture(plain.copy()),
        emissive_texture=Texture(plain.copy()),
    )
    leaf = Material(
        "leaf",
        alpha_mode="MASK",
        alpha_cutoff=0.75,
        double_sided=True,
        base_color_texture=Texture(pixels, "repeat", "clamp"),
    )
    glass = Material("glass", (1, 1, 1, 0.25), alpha_mode="BLEND")
    rng = np.random.default_rng(0)
    return Mesh(
        vertices,
        faces,
        uv=rng.random((len(faces), 3, 2), np.float32),
        normals=np.repeat(normals[:, None], 3, axis=1).astype(np.float32),
        colors=rng.random((len(vertices), 4), np.float32),
        material_index=(np.arange(len(faces)) % 3).astype(np.int32),
        materials=(paint, leaf, glass),
    )


@pytest.fixture(scope="session", params=BLENDERS)
def outcomes(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """What each check said, in one process of one Blender; empty where it holds."""
    folder = tmp_path_factory.mktemp("scene")
    vertices, faces = sphere()
    plain = Material("plain", (0.5, 0.25, 0.125, 1), roughness=0.75)
    write_glb(full_mesh(), folder / "full.glb", {"engine": "test", "seed": 7})
    write_glb(Mesh(vertices, faces, normals=vertices[faces], materials=(plain,)), folder / "smooth.glb", {})
    write_glb(Mesh(vertices, faces), folder / "bare.glb", {})
    faulty = np.concatenate([faces, [[5, 5, 9], faces[3, [1, 0, 2]], faces[8, [1, 2, 0]]]]).astype(np.int32)
    write_glb(Mesh(vertices, faulty), folder / "faulty.glb", {})
    # Triangles at random over few vertices: repeated ones, edges with many triangles, everything that is not a surface.
    tangle = np.random.default_rng(0).integers(0, 24, (4000, 3)).astype(np.int32)
    write_glb(Mesh(vertices, tangle), folder / "random.glb", {})
    return run(request.param, CHECKS_FILE, folder)


@pytest.mark.parametrize("check", checks_in(CHECKS_FILE))
def test_scene(outcomes: Mapping[str, str], check: str) -> None:
    assert not outcomes[check], outcomes[check]
