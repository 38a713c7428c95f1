"""The rasteriser in torch, for tensors that are on a device already (CPU, CUDA, MPS); the rule is that of `raster`.

Every face is cut into spans, one for each row it reaches, by the same float64 arithmetic as in `raster_kernels`; every
pixel then keeps the highest number of a face whose span holds it. Spans become pixels in plain torch, or in a Triton
kernel where that is to be had.
"""

# pyright: reportMissingImports=false

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

try:
    from omagen.omage.raster_triton import paint_spans
except ImportError:  # Triton comes with torch for CUDA on Linux only
    paint_spans = None

CENTRE: Final = (0.5, 0.5)
REACH: Final = 2.0**30
CHUNK: Final = 1 << 22
"""Rows of faces, and pixels of spans, that are expanded at once: some 0.5 GB at the most."""


def raster_faces(uv: Tensor, height: int, width: int, sample: tuple[float, float] = CENTRE) -> tuple[Tensor, Tensor]:
    """As `raster.raster_faces`, on the device of `uv` (F, 3, 2): `face` (H, W) int32 and `bary` (H, W, 2) float32.

    MPS has no float64, so there spans and weights are computed on the CPU.
    """
    target = uv.device
    place = torch.device("cpu") if target.type == "mps" else target
    corners = uv.to(place, torch.float64) - torch.tensor(sample, dtype=torch.float64, device=place)
    face = torch.full((height * width,), -1, dtype=torch.int32, device=place)
    for first, row, begin, end in _spans(corners, height, width):
        _paint(first, row * width + begin, row * width + end, face)
    face = face.reshape(height, width)
    return face.to(target), _weights(corners, face).to(target)


def raster_planes(
    uv: Tensor, values: Tensor, height: int, width: int, sample: tuple[float, float] = CENTRE
) -> tuple[Tensor, Tensor]:
    """As `raster.raster_planes`: `values` (F, 3, C) -> (H, W, C) float32, 0 outside, and `covered` (H, W) bool."""
    face, bary = raster_faces(uv, height, width, sample)
    covered = face >= 0
    planes = torch.zeros((height, width, values.shape[-1]), dtype=torch.float32, device=uv.device)
    weights = torch.cat([1 - bary.sum(-1, keepdim=True), bary], -1)[covered]
    planes[covered] = torch.einsum("nk,nkc->nc", weights, values.to(torch.float32)[face[covered].long()])
    return planes, covered


def _spans(corners: Tensor, height: int, width: int) -> list[tuple[Tensor, Tensor, Tensor, Tensor]]:
    """Chunks of spans that are not empty: face, row, and the columns from `begin` to before `end`, int64 each."""
    if height == 0 or width == 0:
        return []
    order = corners[..., 1].argsort(1)
    sorted_corners = corners.gather(1, order[..., None].expand(-1, -1, 2))
    sound = corners.isfinite().all(-1).all(-1) & (corners.abs().sum((1, 2)) < REACH)
    low = _rows(sorted_corners[:, 0, 1], sound, height)
    high = _rows(sorted_corners[:, 2, 1], sound, height)
    rows = (high - low).clamp(min=0)
    chunks = []
    for part in _chunks(rows):
        face = torch.repeat_interleave(part, rows[part])
        row = low[face] + _counted(rows[part])
        begin, end = _cut_rows(sorted_corners[face], row.to(torch.float64), width)
        kept = begin < end
        chunks.append((face[kept], row[kept], begin[kept], end[kept]))
    return chunks


def _rows(y: Tensor, sound: Tensor, height: int) -> Tensor:
    return torch.where(sound, y, 0).ceil().clamp(0, height).long()


def _cut_rows(corners: Tensor, y: Tensor, width: int) -> tuple[Tensor, Tensor]:
    """Where rows at `y` (N,) enter and leave triangles (N, 3, 2), whose corners are sorted by height."""
    a, b, c = corners.unbind(1)
    above = (y >= b[:, 1])[:, None]
    long = _cut(a, c, y)
    short = _cut(torch.where(above, b, a), torch.where(above, c, b), y)
    begin, end = torch.minimum(long, short).ceil(), torch.maximum(long, short).ceil()
    return begin.clamp(0, width).long(), end.clamp(0, width).long()


def _cut(low: Tensor, high: Tensor, y: Tensor) -> Tensor:
    left, right = low[:, 0], high[:, 0]
    x = left + (y - low[:, 1]) / (high[:, 1] - low[:, 1]) * (right - left)
    return torch.minimum(torch.maximum(x, torch.minimum(left, right)), torch.maximum(left, right))


def _paint(face: Tensor, begin: Tensor, end: Tensor, picture: Tensor) -> None:
    """Raise the pixels `begin` to `end` (N,) of `picture` (H * W,) int32 to the number of their `face`."""
    if paint_spans is not None and picture.is_cuda:
        paint_spans(face, begin, end, picture)
        return
    length = end - begin
    for part in _chunks(length):
        number = torch.repeat_interleave(face[part], length[part]).to(torch.int32)
        pixel = torch.repeat_interleave(begin[part], length[part]) + _counted(length[part])
        picture.scatter_reduce_(0, pixel, number, "amax")


def _weights(corners: Tensor, face: Tensor) -> Tensor:
    """(H, W, 2) float32: the weights of corners 1 and 2 of the face at each pixel, 0 without one."""
    weights = torch.zeros((*face.shape, 2), dtype=torch.float32, device=face.device)
    i, j = torch.nonzero(face >= 0, as_tuple=True)
    for part in torch.arange(len(i), device=face.device).split(CHUNK):
        a, b, c = corners[face[i[part], j[part]].long()].unbind(1)
        point = torch.stack([j[part], i[part]], -1).to(torch.float64) - a
        b, c = b - a, c - a
        area = _cross(b, c)
        scale = torch.where(area == 0, 0, 1 / area)
        first = (_cross(point, c) * scale).clamp(0, 1)
        second = torch.minimum((_cross(b, point) * scale).clamp(min=0), 1 - first)
        weights[i[part], j[part]] = torch.stack([first, second], -1).to(torch.float32)
    return weights


def _cross(a: Tensor, b: Tensor) -> Tensor:
    return a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]


def _chunks(sizes: Tensor) -> list[Tensor]:
    """The indices of `sizes` (N,) in runs that add up to about `CHUNK` each, without those of size 0."""
    used = torch.nonzero(sizes)[:, 0]
    if len(used) == 0:
        return []
    number = torch.div(sizes[used].cumsum(0), CHUNK, rounding_mode="floor")
    return list(used.split(torch.unique_consecutive(number, return_counts=True)[1].tolist()))


def _counted(sizes: Tensor) -> Tensor:
    """0 to size - 1 for each of `sizes` (N,), one after the other."""
    start = sizes.cumsum(0) - sizes
    total = torch.arange(int(sizes.sum()), device=sizes.device)
    return total - torch.repeat_interleave(start, sizes)
