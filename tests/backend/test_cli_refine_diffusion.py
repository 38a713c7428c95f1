"""`omagen refine --diffusion` without its models; with them see tests/unit/test_refine_enhancer_diffusion.py."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from omagen.io.glb_writer import write_glb
from refine_shapes import sphere

pytest.importorskip("torch", reason="torch is not installed (extra `networks`)")
pytest.importorskip("diffusers", reason="diffusers is not installed (extra `networks`)")


def test_what_to_download_is_said(tmp_path: Path) -> None:
    write_glb(sphere(2), tmp_path / "ball.glb", {})
    command = [sys.executable, "-m", "omagen", "refine", "ball.glb", "-o", "out.glb", "--diffusion", "scales"]
    done = subprocess.run(
        [*command, "--data", str(tmp_path / "data")], cwd=tmp_path, capture_output=True, text=True, timeout=300
    )
    assert done.returncode != 0
    assert "omagen models download stable-diffusion-1.5" in done.stderr
    assert "CreativeML-OpenRAIL-M" in done.stderr
    assert not (tmp_path / "out.glb").exists()
