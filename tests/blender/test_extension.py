"""The built extension, installed into a clean profile, driven through its operators against the real backend.

Every check of `extension_checks.py`, in each Blender that is here.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from in_blender import BLENDERS, build_extension, checks_in, run
from omagen.io.images import encode_png

CHECKS_FILE = Path(__file__).with_name("extension_checks.py")


def picture() -> np.ndarray:
    """(160, 120, 4) uint8: a shaded red ellipse on a transparent ground."""
    y, x = np.mgrid[-1:1:160j, -1:1:120j]
    inside = (x / 0.7) ** 2 + (y / 0.8) ** 2 < 1
    shade = np.clip(1 - 0.5 * np.hypot(x + 0.3, y + 0.3), 0, 1)
    return np.round(255 * np.dstack([shade, 0.4 * shade, 0.3 * shade, inside])).astype(np.uint8)


@pytest.fixture(scope="session", params=BLENDERS)
def outcomes(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """What each check said, in one process of one Blender; empty where it holds."""
    folder = tmp_path_factory.mktemp("extension")
    build_extension(folder / "omagen.zip")
    (folder / "picture.png").write_bytes(encode_png(picture()))
    (folder / "bad.png").write_bytes(b"<html>not a picture</html>")
    return run(request.param, CHECKS_FILE, folder)


@pytest.mark.parametrize("check", checks_in(CHECKS_FILE))
def test_extension(outcomes: Mapping[str, str], check: str) -> None:
    assert not outcomes[check], outcomes[check]
