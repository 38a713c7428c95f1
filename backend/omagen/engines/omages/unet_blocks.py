"""Convolutions of the material network: residual block, global context, up- and downsampling (imagen-pytorch 1.26.0).

Maps are (B, C, H, W). Attribute names are those of the published checkpoint's keys.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn

from omagen.engines.omages.unet_attention import CrossAttention


class LearnedSinusoid(nn.Module):
    """A number as itself and as sine and cosine at learned frequencies; float32 inside, whatever the network's type."""

    def __init__(self, dim: int) -> None:
        """`dim` (even): how many sines and cosines together."""
        super().__init__()
        self.weights = nn.Parameter(torch.randn(dim // 2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B,) -> (B, dim + 1)"""
        kind = torch.promote_types(self.weights.dtype, torch.float32)
        x = x.to(kind)[:, None]
        angle = x * self.weights.to(kind) * (2 * math.pi)
        return torch.cat([x, angle.sin(), angle.cos()], dim=-1).to(self.weights.dtype)


class CrossEmbed(nn.Module):
    """Convolutions of several sizes side by side: half of the channels for the smallest, a quarter for the next, ..."""

    def __init__(self, dim_in: int, dim_out: int, kernel_sizes: Sequence[int], stride: int = 1) -> None:
        super().__init__()
        kernels = sorted(kernel_sizes)
        dims = [dim_out // 2 ** (number + 1) for number in range(len(kernels) - 1)]
        dims.append(dim_out - sum(dims))
        self.convs = nn.ModuleList(
            nn.Conv2d(dim_in, dim, kernel, stride, (kernel - stride) // 2)
            for kernel, dim in zip(kernels, dims, strict=True)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([conv(x) for conv in self.convs], dim=1)


class ConvBlock(nn.Module):
    """Group norm, modulation where there is any, SiLU, convolution."""

    def __init__(self, dim: int, dim_out: int, groups: int) -> None:
        super().__init__()
        self.groupnorm = nn.GroupNorm(groups, dim)
        self.project = nn.Conv2d(dim, dim_out, 3, padding=1)

    def forward(self, x: torch.Tensor, scale_shift: tuple[torch.Tensor, torch.Tensor] | None = None) -> torch.Tensor:
        x = self.groupnorm(x)
        if scale_shift is not None:
            scale, shift = scale_shift
            x = x * (scale + 1) + shift
        return self.project(F.silu(x))


class GlobalContext(nn.Module):
    """A factor in 0..1 for each channel, from a weighted mean over the whole map: (B, C, H, W) -> (B, C, 1, 1)."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        hidden = max(3, dim // 2)
        self.to_k = nn.Conv2d(dim, 1, 1)
        self.net = nn.Sequential(nn.Conv2d(dim, hidden, 1), nn.SiLU(), nn.Conv2d(hidden, dim, 1), nn.Sigmoid())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        weight = self.to_k(x).flatten(2).softmax(dim=-1)
        mean = x.flatten(2) @ weight.transpose(1, 2)
        return self.net(mean[..., None])


class ResnetBlock(nn.Module):
    """Two convolutions around cross-attention, the second steered by time, added to what came in."""

    def __init__(
        self,
        dim: int,
        dim_out: int,
        time_cond_dim: int,
        *,
        groups: int = 8,
        cond_dim: int | None = None,
        use_gca: bool = False,
        heads: int = 8,
        dim_head: int = 64,
    ) -> None:
        """`cond_dim`: width of the tokens that cross-attention looks at; None for no cross-attention."""
        super().__init__()
        self.time_mlp = nn.Sequential(nn.SiLU(), nn.Linear(time_cond_dim, dim_out * 2))
        self.cross_attn = CrossAttention(dim_out, cond_dim, heads, dim_head) if cond_dim else None
        self.block1 = ConvBlock(dim, dim_out, groups)
        self.block2 = ConvBlock(dim_out, dim_out, groups)
        self.gca = GlobalContext(dim_out) if use_gca else None
        self.res_conv = nn.Conv2d(dim, dim_out, 1) if dim != dim_out else nn.Identity()

    def forward(self, x: torch.Tensor, time: torch.Tensor, cond: torch.Tensor | None = None) -> torch.Tensor:
        """`x` (B, dim, H, W), `time` (B, time_cond_dim), `cond` (B, M, cond_dim) -> (B, dim_out, H, W)"""
        h = self.block1(x)
        if self.cross_attn is not None:
            if cond is None:
                raise ValueError("this block looks at conditioning tokens and got none")
            tokens = h.flatten(2).transpose(1, 2)
            h = self.cross_attn(tokens, cond).transpose(1, 2).unflatten(2, h.shape[2:]) + h
        scale, shift = self.time_mlp(time)[..., None, None].chunk(2, dim=1)
        h = self.block2(h, (scale, shift))
        if self.gca is not None:
            h = h * self.gca(h)
        return h + self.res_conv(x)


class Downsample(nn.Sequential):
    """(B, dim, 2H, 2W) -> (B, dim_out, H, W): pixels become channels (channel, row, column)."""

    def __init__(self, dim: int, dim_out: int) -> None:
        super().__init__(nn.PixelUnshuffle(2), nn.Conv2d(dim * 4, dim_out, 1))


class ParallelSum(nn.Module):
    """The sum of what several modules make of the same map."""

    def __init__(self, *fns: nn.Module) -> None:
        super().__init__()
        self.fns = nn.ModuleList(fns)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.stack([fn(x) for fn in self.fns]).sum(dim=0)


class PixelShuffleUpsample(nn.Module):
    """(B, dim, H, W) -> (B, dim_out, 2H, 2W): channels become four pixels, which start out equal."""

    def __init__(self, dim: int, dim_out: int) -> None:
        super().__init__()
        conv = nn.Conv2d(dim, dim_out * 4, 1)
        with torch.no_grad():
            first = nn.init.kaiming_uniform_(torch.empty_like(conv.weight[:dim_out]))
            conv.weight.copy_(first.repeat_interleave(4, dim=0))
            nn.init.zeros_(conv.bias if conv.bias is not None else torch.empty(0))
        self.net = nn.Sequential(conv, nn.SiLU(), nn.PixelShuffle(2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.net(x)
