"""The engine `texture`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from omagen.engines.texture.engine import TextureEngine
from omagen.io.glb_writer import write_glb
from omagen.io.images import encode_png
from omagen.protocol import EngineInfo, OmagenError, Request
from sample_meshes import cube


class Listener:
    """Takes an engine's progress and keeps it."""

    def __init__(self) -> None:
        self.fractions: list[float] = []
        self.warnings: list[str] = []

    def __call__(self, stage: str, fraction: float) -> None:
        assert stage and 0 <= fraction <= 1
        self.fractions.append(fraction)

    def warn(self, message: str) -> None:
        self.warnings.append(message)


def test_description_survives_json_and_only_the_front_is_needed() -> None:
    info = TextureEngine().describe()
    assert EngineInfo.from_json(info.to_json()) == info
    assert [spec.id for spec in info.inputs if spec.required] == ["mesh", "front"]


def test_pictures_are_fitted_and_a_stretched_one_is_said_to_be(tmp_path: Path) -> None:
    write_glb(cube(), tmp_path / "cube.glb", {})
    picture = np.zeros((64, 96, 4), np.uint8)
    picture[8:56, 8:88] = (0, 0, 255, 255)
    (tmp_path / "wide.png").write_bytes(encode_png(picture))
    engine, listener = TextureEngine(), Listener()
    inputs = {"mesh": "0" * 64, "front": "1" * 64, "back": "2" * 64}
    request = Request("texture", inputs, {"texture": 64}, name="painted").checked(engine.describe())
    engine.load("cpu")
    files = {"mesh": tmp_path / "cube.glb", "front": tmp_path / "wide.png", "back": tmp_path / "wide.png"}
    mesh, report = engine.run(request, files, listener)
    assert mesh.name == "painted"
    assert 0.15 < report["texturing"]["seen"] < 0.35
    assert len([text for text in listener.warnings if "stretched by 67%" in text]) == 2
    assert listener.fractions == sorted(listener.fractions)


def test_a_cancelled_run_ends(tmp_path: Path) -> None:
    write_glb(cube(), tmp_path / "cube.glb", {})
    (tmp_path / "red.png").write_bytes(encode_png(np.full((64, 64, 3), (255, 0, 0), np.uint8)))

    class Cancelled(Listener):
        def __call__(self, stage: str, fraction: float) -> None:
            if fraction > 0.6:
                raise KeyboardInterrupt

    request = Request("texture", {"mesh": "0" * 64, "front": "1" * 64}, {"texture": 64})
    with pytest.raises((KeyboardInterrupt, OmagenError)):
        TextureEngine().run(
            request.checked(TextureEngine().describe()),
            {"mesh": tmp_path / "cube.glb", "front": tmp_path / "red.png"},
            Cancelled(),
        )
