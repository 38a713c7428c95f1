"""The material network: a U-Net that takes noise off materials, given geometry, class and log-SNR.

The base U-Net of imagen-pytorch 1.26.0 at the options of the released checkpoint, written anew. Attribute names and
their order are those of the published state dict.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import torch
from torch import nn

from omagen.engines.omages.unet_attention import TransformerBlock
from omagen.engines.omages.unet_blocks import (
    CrossEmbed,
    Downsample,
    LearnedSinusoid,
    ParallelSum,
    PixelShuffleUpsample,
    ResnetBlock,
)
from omagen.engines.omages.unet_config import UNetConfig
from omagen.engines.omages.unet_resampler import PerceiverResampler

_SKIP_SCALE: Final = 2**-0.5


@dataclass(frozen=True)
class ClassCondition:
    """What the network knows of B classes. It does not depend on time, so a sampling run makes it once."""

    tokens: torch.Tensor
    """(B, latents, context_dim)"""
    hidden: torch.Tensor
    """(B, 4 dim), added to what steers the blocks"""

    def and_then(self, other: ClassCondition) -> ClassCondition:
        """Both, one batch after the other."""
        return ClassCondition(torch.cat([self.tokens, other.tokens]), torch.cat([self.hidden, other.hidden]))


class UNet(nn.Module):
    """v prediction (B, channels, H, W) for materials in -1..1 with noise; H and W divide by 2^(levels - 1)."""

    def __init__(self, config: UNetConfig) -> None:
        super().__init__()
        self.config = config
        c, dim, cond_dim, time_dim = config, config.dim, config.context_dim, config.dim * 4
        widths = [dim, *(dim * mult for mult in c.dim_mults)]
        attention = {"heads": c.attn_heads, "dim_head": c.attn_dim_head}
        self.null_text_embed = nn.Parameter(torch.randn(1, c.max_text_len, cond_dim))
        self.null_text_hidden = nn.Parameter(torch.randn(1, time_dim))
        self.init_conv = CrossEmbed(c.cond_images_channels + c.channels, dim, c.init_cross_embed_kernel_sizes)
        self.to_time_hiddens = nn.Sequential(
            LearnedSinusoid(c.learned_sinu_pos_emb_dim), nn.Linear(c.learned_sinu_pos_emb_dim + 1, time_dim), nn.SiLU()
        )
        self.to_time_cond = nn.Sequential(nn.Linear(time_dim, time_dim))
        self.to_time_tokens = nn.Sequential(
            nn.Linear(time_dim, cond_dim * c.num_time_tokens), nn.Unflatten(-1, (c.num_time_tokens, cond_dim))
        )
        self.norm_cond = nn.LayerNorm(cond_dim)
        self.text_to_cond = nn.Linear(c.text_embed_dim, cond_dim)
        self.attn_pool = PerceiverResampler(cond_dim, num_latents=c.attn_pool_num_latents, **attention)
        self.to_text_non_attn_cond = nn.Sequential(
            nn.LayerNorm(cond_dim), nn.Linear(cond_dim, time_dim), nn.SiLU(), nn.Linear(time_dim, time_dim)
        )
        levels = list(enumerate(pairwise(widths)))
        self.downs = nn.ModuleList(_down_level(c, number, *ends) for number, ends in levels)
        self.ups = nn.ModuleList(_up_level(c, number, *ends) for number, ends in reversed(levels))
        # The two blocks of the middle have the library's default attention, whatever the options say.
        groups = c.level("resnet_groups", len(c.dim_mults) - 1)
        middle = widths[-1]
        self.mid_block1 = ResnetBlock(middle, middle, time_dim, groups=groups, cond_dim=cond_dim)
        self.mid_attn = TransformerBlock(middle, c.layer_mid_attns_depth, **attention)
        self.mid_block2 = ResnetBlock(middle, middle, time_dim, groups=groups, cond_dim=cond_dim)
        self.final_res_block = ResnetBlock(2 * dim, dim, time_dim, groups=c.level("resnet_groups", 0), use_gca=True)
        out = c.channels if c.channels_out is None else c.channels_out
        self.final_conv = nn.Conv2d(dim, out, c.final_conv_kernel_size, padding=c.final_conv_kernel_size // 2)
        nn.init.zeros_(self.final_conv.weight)
        nn.init.zeros_(self.final_conv.bias if self.final_conv.bias is not None else torch.empty(0))

    @property
    def dtype(self) -> torch.dtype:
        return self.final_conv.weight.dtype

    def condition(self, embedding: torch.Tensor, keep: torch.Tensor | None = None) -> ClassCondition:
        """From class vectors `embedding` (B, N, text_embed_dim), N = 1 as released, and `keep` (B,) bool.

        False in `keep` drops a sample's class: what is predicted then is guidance's other end.
        """
        batch, length, _ = embedding.shape
        if keep is None:
            keep = torch.ones(batch, dtype=torch.bool, device=embedding.device)
        padding = self.config.max_text_len - length
        tokens = nn.functional.pad(self.text_to_cond(embedding.to(self.dtype)), (0, 0, 0, padding))
        is_given = torch.arange(self.config.max_text_len, device=embedding.device) < length
        tokens = torch.where((keep[:, None] & is_given)[..., None], tokens, self.null_text_embed.to(tokens.dtype))
        tokens = self.attn_pool(tokens)
        hidden = self.to_text_non_attn_cond(tokens.mean(dim=1))
        return ClassCondition(tokens, torch.where(keep[:, None], hidden, self.null_text_hidden.to(hidden.dtype)))

    def forward(
        self,
        x: torch.Tensor,
        log_snr: torch.Tensor,
        geometry: torch.Tensor,
        embedding: torch.Tensor,
        keep: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """`denoise` under `condition(embedding, keep)`: all of the network in one call, as training needs it."""
        return self.denoise(x, log_snr, geometry, self.condition(embedding, keep))

    def denoise(
        self, x: torch.Tensor, log_snr: torch.Tensor, geometry: torch.Tensor, condition: ClassCondition
    ) -> torch.Tensor:
        """`x` (B, channels, H, W), `log_snr` (B,), `geometry` (B, cond_images_channels, H, W) in -1..1.

        Computes in the network's number type, log-SNR excepted, and returns that type.
        """
        x = self.init_conv(torch.cat([geometry, x], dim=1).to(self.dtype))
        first = x
        time_hidden = self.to_time_hiddens(log_snr)
        time = self.to_time_cond(time_hidden) + condition.hidden
        tokens = self.norm_cond(torch.cat([self.to_time_tokens(time_hidden), condition.tokens], dim=1))
        skips: list[torch.Tensor] = []
        for level in self.downs:
            x = level(x, time, tokens, skips)
        x = self.mid_block1(x, time, tokens)
        x = self.mid_attn(x)
        x = self.mid_block2(x, time, tokens)
        for level in self.ups:
            x = level(x, time, tokens, skips)
        return self.final_conv(self.final_res_block(torch.cat([x, first], dim=1), time))

    def guided(
        self,
        x: torch.Tensor,
        log_snr: torch.Tensor,
        geometry: torch.Tensor,
        condition: ClassCondition,
        dropped: ClassCondition,
        scale: float,
    ) -> torch.Tensor:
        """`denoise` away from `dropped` towards `condition`: dropped + scale · (given - dropped), as 2B."""
        both = [torch.cat([part, part]) for part in (x, log_snr, geometry)]
        given, without = self.denoise(both[0], both[1], both[2], condition.and_then(dropped)).chunk(2)
        return without + (given - without) * scale


class _DownLevel(nn.ModuleList):
    """[nothing, first block, blocks, attention, downsampling]: the places that the published keys count."""

    def forward(
        self, x: torch.Tensor, time: torch.Tensor, tokens: torch.Tensor, skips: list[torch.Tensor]
    ) -> torch.Tensor:
        _, first, blocks, attention, down = self
        x = first(x, time, tokens)
        for block in blocks:  # type: ignore[union-attr]
            x = block(x, time)
            skips.append(x)
        x = attention(x, tokens)
        skips.append(x)
        return down(x)


class _UpLevel(nn.ModuleList):
    """[first block, blocks, attention, upsampling]"""

    def forward(
        self, x: torch.Tensor, time: torch.Tensor, tokens: torch.Tensor, skips: list[torch.Tensor]
    ) -> torch.Tensor:
        first, blocks, attention, up = self
        x = first(_with_skip(x, skips), time, tokens)
        for block in blocks:  # type: ignore[union-attr]
            x = block(_with_skip(x, skips), time)
        return up(attention(x, tokens))


class _NoAttention(nn.Module):
    """Where a level has none"""

    def forward(self, x: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
        return x


def _with_skip(x: torch.Tensor, skips: list[torch.Tensor]) -> torch.Tensor:
    return torch.cat([x, skips.pop() * _SKIP_SCALE], dim=1)


def _down_level(c: UNetConfig, number: int, dim_in: int, dim_out: int) -> _DownLevel:
    is_last = number == len(c.dim_mults) - 1
    down = (
        ParallelSum(nn.Conv2d(dim_in, dim_out, 3, padding=1), nn.Conv2d(dim_in, dim_out, 1))
        if is_last
        else Downsample(dim_in, dim_out)
    )
    blocks = _blocks(c, number, dim_in, dim_in)
    return _DownLevel([nn.Identity(), *blocks, _attention(c, number, dim_in), down])


def _up_level(c: UNetConfig, number: int, dim_in: int, dim_out: int) -> _UpLevel:
    """The mirror of down level `number`: its blocks take that level's maps beside their own."""
    up = PixelShuffleUpsample(dim_out, dim_in) if number else nn.Identity()
    return _UpLevel([*_blocks(c, number, dim_out + dim_in, dim_out), _attention(c, number, dim_out), up])


def _blocks(c: UNetConfig, number: int, dim: int, dim_out: int) -> tuple[ResnetBlock, nn.ModuleList]:
    """The first block of a level, with cross-attention where the level has it, and the others, with global context"""
    groups, time_dim = c.level("resnet_groups", number), c.dim * 4
    first = ResnetBlock(
        dim, dim_out, time_dim, groups=groups, heads=c.attn_heads, dim_head=c.attn_dim_head,
        cond_dim=c.context_dim if c.level("layer_cross_attns", number) else None,
    )  # fmt: skip
    others = nn.ModuleList(
        ResnetBlock(dim, dim_out, time_dim, groups=groups, use_gca=True)
        for _ in range(c.level("num_resnet_blocks", number))
    )
    return first, others


def _attention(c: UNetConfig, number: int, dim: int) -> nn.Module:
    if not c.level("layer_attns", number):
        return _NoAttention()
    return TransformerBlock(
        dim, c.level("layer_attns_depth", number), heads=c.attn_heads, dim_head=c.attn_dim_head, ff_mult=c.ff_mult,
        context_dim=c.context_dim,
    )  # fmt: skip
