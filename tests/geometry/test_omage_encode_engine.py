"""The engine that encodes: what a user gets told about the omage."""

from __future__ import annotations

from pathlib import Path

import pytest
from omagen.engines.encode.engine import EncodeEngine
from omagen.io.glb_writer import write_glb
from omagen.protocol import Request
from sample_meshes import cube


class Progress:
    def __init__(self) -> None:
        self.fractions: list[float] = []
        self.warnings: list[str] = []

    def __call__(self, stage: str, fraction: float) -> None:
        self.fractions.append(fraction)

    def warn(self, message: str) -> None:
        self.warnings.append(message)


@pytest.fixture(scope="module")
def encoded(tmp_path_factory: pytest.TempPathFactory):
    path: Path = tmp_path_factory.mktemp("engine") / "cube.glb"
    write_glb(cube(), path, {})
    engine, progress = EncodeEngine(), Progress()
    engine.load("cpu")
    request = Request("encode", {"mesh": "blob"}, {"resolution": 64}, name="die").checked(engine.describe())
    return *engine.run(request, {"mesh": path}, progress), progress


def test_the_quality_line_has_all_its_numbers(encoded):
    _, report, _ = encoded
    assert {"chamfer", "seam_gap", "occupancy", "lost_components", "texel_density", "stretch"} <= set(report)
    assert 0 <= report["chamfer"] < 1e-3
    assert 0 <= report["seam_gap"] < 1e-4
    assert report["lost_components"] == 0


def test_progress_only_rises_and_ends_below_or_at_one(encoded):
    _, _, progress = encoded
    assert progress.fractions == sorted(progress.fractions)
    assert progress.fractions[-1] <= 1
    assert not progress.warnings


def test_the_omage_is_called_what_was_asked(encoded):
    omage, _, _ = encoded
    assert omage.name == "die" and omage.resolution == 64
