"""Finishing as engines and commands call it: what is kept, what is delivered, what is said, and how it ends early."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from generated_meshes import crumbs, fan, joined, torus
from omagen.finish.finishing import finish_with_levels
from omagen.finish.lod import lod_chain
from omagen.finish.pipeline import finish_mesh
from omagen.finish.settings import FinishSettings
from omagen.geometry.cleaning import join_places
from omagen.geometry.distance import surface_distance
from omagen.geometry.quality import quality_report
from omagen.io.meshes import read_mesh
from omagen.kernels.samples import ball, box, broken
from omagen.omage.charts.coverage import cover
from omagen.protocol import ErrorCode, OmagenError
from omagen.shapes import LodChain, Material, Mesh, Texture
from places import SHARED
from sample_meshes import cube, noise

MESHES = SHARED / "assets" / "meshes"
SMALL = FinishSettings(texture=128)


class Listener:
    def __init__(self) -> None:
        self.warnings: list[str] = []
        self.fractions: list[float] = []

    def __call__(self, stage: str, fraction: float) -> None:
        assert stage and 0 <= fraction <= 1
        self.fractions.append(fraction)

    def warn(self, message: str) -> None:
        self.warnings.append(message)


def coloured_torus() -> Mesh:
    mesh = torus(0, 0.1, (80, 40), 0.3)
    colors = np.hstack([(mesh.vertices + 2) / 4, np.ones((len(mesh.vertices), 1))]).astype(np.float32)
    return replace(mesh, colors=colors)


def test_a_raw_surface_becomes_a_closed_textured_mesh_of_the_count_asked_for() -> None:
    listener = Listener()
    made, report = finish_mesh(coloured_torus(), replace(SMALL, faces=1000), listener)
    quality = quality_report(made)
    assert quality["watertight"] and quality["triangles"] == 1000
    assert quality["texture_size"] == [128, 128] and quality["uv_overlap"] == 0.0 and quality["texture_coverage"] == 1.0
    assert made.colors is None and made.normals is not None and len(made.materials) == 1
    assert report["simplify"] | {"seconds": 0} == {
        "state": "done", "asked": 1000, "delivered": 1000, "quads": 0, "before": 6400, "seconds": 0,
    }  # fmt: skip
    assert report["bake"]["asked"] == report["bake"]["delivered"] == 128
    assert report["bake"]["maps"] == ["base_color", "normal"]
    assert not listener.warnings


@pytest.mark.parametrize("materials", ["bake", "keep"])
def test_kept_uv_leave_every_array_as_it_is(materials: str) -> None:
    given = box()
    settings = replace(SMALL, unwrap="keep", materials=materials, faces=4, remesh="none")  # type: ignore[arg-type]
    listener = Listener()
    made, report = finish_mesh(given, settings, listener)
    for name in ("vertices", "faces", "uv"):
        assert np.array_equal(getattr(made, name), getattr(given, name))
    assert report["simplify"]["state"] == report["clean"]["state"] == report["unwrap"]["state"] == "skipped"
    assert len(listener.warnings) == 1 and "12 faces, not 4" in listener.warnings[0]
    if materials == "keep":
        assert made.materials is given.materials and made.material_index is given.material_index
        assert made.colors is given.colors and made.second_uv is given.second_uv and made.normals is given.normals


def test_a_sound_textured_mesh_passes_through_as_it_is() -> None:
    material = Material(base_color_texture=Texture(noise(0)))
    given = cube(materials=(material,))
    made, report = finish_mesh(given, SMALL, Listener())
    assert report["unwrap"]["state"] == report["bake"]["state"] == "skipped"
    assert np.array_equal(made.uv, given.uv) and made.materials == given.materials  # type: ignore[arg-type]


def test_kept_materials_stay_on_their_uv_when_the_mesh_gets_new_ones() -> None:
    material = Material(base_color_texture=Texture(noise(0)))
    given = cube(materials=(material,), uv=np.full((12, 3, 2), 0.5, np.float32))
    made, report = finish_mesh(given, replace(SMALL, materials="keep"), Listener())
    assert report["unwrap"]["faults"]
    assert np.array_equal(made.second_uv, given.uv)  # type: ignore[arg-type]
    assert made.materials[0].base_color_texture is not None and made.materials[0].base_color_texture.uv_set == 1
    assert quality_report(made)["uv_overlap"] == 0.0


def test_charts_keep_the_margin_that_is_reported() -> None:
    made, report = finish_mesh(joined([cube(uv=None, normals=None), ball(24, 12)]), SMALL, Listener())
    assert made.uv is not None
    charts = report["unwrap"]["charts"]
    size = 2048
    margin = int(report["unwrap"]["margin"] * size)
    assert charts > 2 and margin >= 4
    seen = np.full((size, size), -1, np.int32)
    cover(made.uv.astype(np.float64) * size, np.zeros(len(made.faces), np.int32), seen, np.zeros(seen.shape, bool))
    covered = (seen >= 0).astype(np.uint8)
    reach = np.ones((margin - 1, margin - 1), np.uint8)
    apart, still = (cv2.connectedComponents(picture)[0] - 1 for picture in (covered, cv2.dilate(covered, reach)))
    assert apart == still == charts
    assert made.uv.min() > 0 and made.uv.max() < 1


def test_a_count_that_cannot_be_reached_is_said() -> None:
    listener = Listener()
    _, report = finish_mesh(crumbs(0, 30, 0.5), replace(SMALL, faces=50), listener)
    assert report["simplify"]["delivered"] == 120 and report["simplify"]["asked"] == 50
    assert any("120 faces; 50 were asked for" in message for message in listener.warnings)


def test_quads_are_pairs_of_triangles_about_as_many_as_asked_for() -> None:
    made, report = finish_mesh(ball(100, 50), replace(SMALL, faces=800, remesh="quads", maps=frozenset()), Listener())
    assert report["simplify"]["state"] == "done" and made.quads is not None
    assert abs(report["simplify"]["delivered"] - 800) <= 0.05 * 800
    first, second = made.faces[made.quads], made.faces[made.quads + 1]
    assert np.array_equal(first[:, 0], second[:, 0]) and np.array_equal(first[:, 2], second[:, 1])
    quality = quality_report(made)
    assert quality["watertight"] and quality["quads"] == len(made.quads) > 0.95 * len(made.faces) / 2
    assert surface_distance(ball(100, 50), made, 5000)["chamfer"] < 0.005


def test_where_quads_fail_triangles_come_and_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("omagen.geometry.quads.run_quads", lambda *arguments: None)
    listener = Listener()
    made, report = finish_mesh(ball(48, 24), replace(SMALL, faces=200, remesh="quads"), listener)
    assert report["simplify"]["state"] == "fallback" and len(made.faces) == 400
    assert any("triangles instead of quads" in message for message in listener.warnings)


def test_levels_halve_the_faces_and_stay_the_same_object() -> None:
    mesh = ball(160, 80)
    colors = np.hstack([(mesh.vertices + 2) / 4, np.ones((len(mesh.vertices), 1))]).astype(np.float32)
    finest, _ = finish_mesh(replace(mesh, colors=colors), replace(SMALL, faces=20_000), Listener())
    levels, reports = lod_chain(finest, replace(SMALL, lods=6), Listener())
    assert [len(level.faces) for level in levels] == [20_000, 10_000, 5000, 2500, 1250, 624]
    assert {report["uv"] for report in reports} == {"shared", "new"}
    for level, report in zip(levels[1:], reports, strict=True):
        assert quality_report(level)["watertight"] and report["normals"] == "baked"
        texture = level.materials[0].base_color_texture
        assert level.materials[0].normal_texture is not None and texture is not None
        if report["uv"] == "shared":
            assert texture is finest.materials[0].base_color_texture
        assert surface_distance(finest, level, 5000)["chamfer"] < 0.005


def test_a_chain_ends_where_there_is_nothing_left_to_halve() -> None:
    listener = Listener()
    shape, report = finish_with_levels(ball(8, 4), replace(SMALL, lods=8), listener)
    assert isinstance(shape, LodChain) and 1 < len(shape.levels) < 8
    assert any("levels, not 8" in message for message in listener.warnings)
    assert len(report["lods"]) == len(shape.levels) - 1


@pytest.mark.parametrize("mesh", [broken(), fan(6, 10), crumbs(0, 40, 0.001), Mesh(
    np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], np.float32), np.array([[0, 1, 2]], np.int32))])  # fmt: skip
def test_awkward_meshes_get_through(mesh: Mesh) -> None:
    made, report = finish_mesh(mesh, replace(SMALL, maps=frozenset({"base_color", "normal"})), Listener())
    quality = quality_report(made)
    assert quality["triangles"] > 0 and quality["non_manifold_edges"] == 0
    assert report["bake"]["state"] == "done" and quality["texture_size"] == [128, 128]
    assert np.isfinite(made.vertices).all() and np.isfinite(made.uv).all()  # type: ignore[arg-type]


@pytest.mark.parametrize("after", [1, 4, 8])
def test_cancelling_ends_any_stage(after: int) -> None:
    class Impatient(Listener):
        def __call__(self, stage: str, fraction: float) -> None:
            super().__call__(stage, fraction)
            if len(self.fractions) > after:
                raise OmagenError(ErrorCode.CANCELLED, "Cancelled.")

    with pytest.raises(OmagenError) as error:
        finish_mesh(coloured_torus(), replace(SMALL, faces=1000), Impatient())
    assert error.value.code is ErrorCode.CANCELLED


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"faces": -1}, "-1 faces"),
        ({"texture": 7}, "7 pixels"),
        ({"lods": 0}, "0 levels"),
        ({"maps": frozenset({"height"})}, "no such map"),
        ({"smallest_part": 2.0}, "share"),
    ],
)
def test_impossible_settings_are_refused(changes: dict, words: str) -> None:
    with pytest.raises(OmagenError, match=words):
        finish_mesh(cube(), replace(SMALL, **changes), Listener())


def test_a_mesh_without_anything_to_finish_is_refused() -> None:
    empty = Mesh(np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int32))
    flat = Mesh(np.zeros((3, 3), np.float32), np.array([[0, 1, 2]], np.int32))
    for mesh, settings in ((empty, SMALL), (flat, SMALL), (cube(uv=None), replace(SMALL, unwrap="keep"))):
        with pytest.raises(OmagenError):
            finish_mesh(mesh, settings, Listener())


def assets() -> list[str]:
    names = sorted(path.name for path in MESHES.glob("*.glb")) if MESHES.exists() else []
    return [name for name in names if name != "koala_mc_880k.glb"]  # which benchmarks/finish.py sends through


@pytest.mark.parametrize("name", assets() or [pytest.param("", marks=pytest.mark.skip("needs the shared assets"))])
def test_every_asset_comes_out_sound(name: str) -> None:
    given, _ = read_mesh(MESHES / name)
    made, report = finish_mesh(given, FinishSettings(texture=256), Listener())
    before, after = quality_report(join_places(given)), quality_report(made)
    assert after["watertight"] or not before["watertight"]
    assert after["non_manifold_edges"] == 0 and after["consistent_winding"]
    assert after["triangles"] <= 50_000 or after["triangles"] == before["triangles"]
    assert report["simplify"]["delivered"] == after["triangles"]
    assert made.uv is not None and (after["uv_overlap"] is None or after["uv_overlap"] <= 0.01)
