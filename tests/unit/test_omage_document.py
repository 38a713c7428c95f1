"""What docs/omages.md tells other people to do works."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from omagen.omage.files import write_omage
from omagen.shapes import Omage
from places import ROOT

TEXT = (ROOT / "docs" / "omages.md").read_text("utf-8")


def test_the_reader_of_the_document_reads_what_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    occupancy = np.zeros((48, 48), bool)
    occupancy[3:20, 5:30] = occupancy[30:40, 8:11] = True
    chart = np.where(occupancy, np.where(np.arange(48)[:, None] < 25, 1, 0), -1).astype(np.int32)
    seam = np.where(occupancy & (rng.random((48, 48)) < 0.3), rng.integers(0, 40, (48, 48)), -1).astype(np.int32)
    position = rng.uniform(-1, 1, (48, 48, 3)).astype(np.float32)
    omage = Omage(position, occupancy, chart=chart, seam=seam, centre=(1.0, 2.0, 3.0), scale=0.5)
    write_omage(omage, tmp_path / "chair")
    code = next(block for block in re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL) if "zlib" in block)
    monkeypatch.chdir(tmp_path)
    found: dict = {}
    exec(code, found)
    assert (found["occupied"] == occupancy).all()
    assert (found["chart"] == chart).all()
    assert (found["seam"] == seam).all()
    assert found["points"][occupancy] == pytest.approx(position[occupancy] * 0.5 + [1, 2, 3], abs=1e-5)


def test_the_document_names_every_file_and_field() -> None:
    from omagen import omage_layout

    fields = omage_layout.Header(64).to_json()
    assert not [name for name in [*omage_layout.FILES, *fields] if f"`{name}`" not in TEXT]
