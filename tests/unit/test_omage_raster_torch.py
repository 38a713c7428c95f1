"""The rasteriser's torch and Triton versions give what the numba version gives, pixel by pixel."""

# pyright: reportMissingImports=false

from __future__ import annotations

import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from omagen.omage import raster

torch = pytest.importorskip("torch")
os.environ.setdefault("TRITON_INTERPRET", "" if torch.cuda.is_available() else "1")

from omagen.omage import raster_torch  # noqa: E402  Triton reads its environment when it is imported

HEIGHT, WIDTH = 29, 37


def faces(seed: int, count: int, grid: int) -> np.ndarray:
    uv = np.random.default_rng(seed).uniform(-5, 42, (count, 3, 2))
    return np.round(uv * grid) / grid if grid else uv


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 2**32 - 1), count=st.integers(0, 200), grid=st.sampled_from([0, 1, 2, 4]))
def test_torch_agrees_with_numba(seed: int, count: int, grid: int) -> None:
    uv = faces(seed, count, grid)
    ours = raster_torch.raster_faces(torch.from_numpy(uv), HEIGHT, WIDTH)
    face, bary = raster.raster_faces(uv, HEIGHT, WIDTH)
    assert np.array_equal(ours[0].numpy(), face)
    assert np.allclose(ours[1].numpy(), bary, atol=1e-5)


def test_torch_works_in_chunks_of_any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    uv = faces(0, 50, 0)
    whole = raster_torch.raster_faces(torch.from_numpy(uv), HEIGHT, WIDTH)
    monkeypatch.setattr(raster_torch, "CHUNK", 7)
    for ours, theirs in zip(raster_torch.raster_faces(torch.from_numpy(uv), HEIGHT, WIDTH), whole, strict=True):
        assert torch.equal(ours, theirs)


def test_torch_planes_agree_with_numba() -> None:
    uv, values = faces(1, 40, 0), np.random.default_rng(1).random((40, 3, 10), np.float32)
    planes, covered = raster_torch.raster_planes(torch.from_numpy(uv), torch.from_numpy(values), HEIGHT, WIDTH)
    expected = raster.raster_planes(uv, values, HEIGHT, WIDTH)
    assert np.allclose(planes.numpy(), expected[0], atol=1e-4) and np.array_equal(covered.numpy(), expected[1])


def test_torch_ignores_coordinates_that_are_none() -> None:
    uv = faces(2, 4, 0)
    uv[0, 1, 0], uv[1, 2, 1], uv[2] = np.nan, np.inf, 1e300
    ours, _ = raster_torch.raster_faces(torch.from_numpy(uv), HEIGHT, WIDTH)
    assert np.array_equal(ours.numpy(), raster.raster_faces(uv, HEIGHT, WIDTH)[0])
    assert set(np.unique(ours.numpy())) <= {-1, 3}


def test_triton_paints_what_torch_paints(monkeypatch: pytest.MonkeyPatch) -> None:
    if raster_torch.paint_spans is None:
        pytest.skip("Triton is not installed")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    uv = torch.from_numpy(faces(3, 60, 2)).to(device)
    monkeypatch.setattr(raster_torch, "_paint", raster_torch.paint_spans)
    painted, _ = raster_torch.raster_faces(uv, HEIGHT, WIDTH)
    monkeypatch.undo()
    assert np.array_equal(painted.cpu().numpy(), raster.raster_faces(uv.cpu().numpy(), HEIGHT, WIDTH)[0])
