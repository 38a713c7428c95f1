"""`null2geo`: the transformer that makes the geometry of an omage from noise and a category.

A DiT (Peebles and Xie 2023) over the pixels of an omage, as Yan et al. 2024, "An Object is Worth 64x64 Pixels", use it.
Modules have the names that are in the published checkpoint. `cross_attn` is in it too; the released network has no
condition that would make it run.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from omagen.engines.omages.position_table import position_table

FREQUENCIES = 256


@dataclass(frozen=True)
class DiTConfig:
    """The published options, with the released values. Images are [B, in_channels, input_size, input_size]."""

    input_size: int = 64
    patch_size: int = 1
    in_channels: int = 4
    hidden_size: int = 768
    depth: int = 12
    num_heads: int = 12
    mlp_ratio: float = 4.0
    num_classes: int = 63
    learn_sigma: bool = True
    condimg_channels: None = None
    """No network with an image as condition was released, and none is built"""
    class_dropout_prob: float = 0.1
    """Share of the labels that training replaces by the null class"""

    def __post_init__(self) -> None:
        if self.condimg_channels is not None:
            raise ValueError("a DiT with an image as condition is not supported")
        if self.input_size % self.patch_size or self.hidden_size % self.num_heads or self.hidden_size % 4:
            raise ValueError(f"sizes of this DiT do not divide: {self}")

    @property
    def out_channels(self) -> int:
        return self.in_channels * (2 if self.learn_sigma else 1)


class OmgDiT(nn.Module):
    """Predicts [noise, variance share] of noisy omages. Raises `ValueError` from its configuration only."""

    def __init__(self, config: DiTConfig) -> None:
        super().__init__()
        self.config = config
        side, width = config.input_size // config.patch_size, config.hidden_size
        self.x_embedder = PatchEmbed(config.patch_size, config.in_channels, width)
        self.t_embedder = TimestepEmbedder(width)
        self.y_embedder = LabelEmbedder(config.num_classes, width, config.class_dropout_prob)
        self.pos_embed = nn.Parameter(torch.empty(1, side * side, width), requires_grad=False)
        self.blocks = nn.ModuleList(DiTBlock(width, config.num_heads, config.mlp_ratio) for _ in range(config.depth))
        self.final_layer = FinalLayer(width, config.patch_size, config.out_channels)
        self.reset_parameters()

    @property
    def null_class(self) -> int:
        """The label that stands for no category."""
        return self.config.num_classes

    def reset_parameters(self) -> None:
        """The published start: blocks that do nothing, and an output of 0."""
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Conv2d):
                nn.init.xavier_uniform_(module.weight.flatten(1))
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        for weight in (self.y_embedder.embedding_table.weight, *_weights(self.t_embedder.mlp)):
            nn.init.normal_(weight, std=0.02)
        for stack in (*(block.adaLN_modulation for block in self._dit_blocks()), self.final_layer.adaLN_modulation):
            for weight in _weights(stack):
                nn.init.zeros_(weight)
        nn.init.zeros_(self.final_layer.linear.weight)
        table = position_table(self.config.hidden_size, self.config.input_size // self.config.patch_size)
        with torch.no_grad():
            self.pos_embed.copy_(torch.from_numpy(table)[None])

    def forward(self, x: Tensor, y: Tensor | None, t: Tensor) -> Tensor:
        """[B, out_channels, H, W] in the parameters' dtype.

        `x` [B, in_channels, H, W]; `y` [B] int64 labels, 0 … num_classes, None for none at all; `t` [B] timesteps of
        the process that the network was trained on, 0 … 999.
        """
        tokens = self.x_embedder(x.to(self.pos_embed.dtype)) + self.pos_embed
        condition = self.t_embedder(t)
        if y is not None:
            condition = condition + self.y_embedder(y)
        for block in self.blocks:
            tokens = block(tokens, condition)
        return self._unpatchify(self.final_layer(tokens, condition))

    def forward_with_cfg(self, x: Tensor, y: Tensor, t: Tensor, cfg_scale: float) -> Tensor:
        """Classifier-free guidance in one pass: of a batch of 2n, the first n images count; `y` is [labels, null].

        The noise is guided and the same in both halves of the result; the variance is that of each half.
        """
        half = x[: len(x) // 2]
        prediction = self(torch.cat([half, half]), y, t)
        epsilon, rest = prediction.split([self.config.in_channels, prediction.shape[1] - self.config.in_channels], 1)
        conditional, without = epsilon.chunk(2)
        guided = without + cfg_scale * (conditional - without)
        return torch.cat([torch.cat([guided, guided]), rest], dim=1)

    def _unpatchify(self, tokens: Tensor) -> Tensor:
        """[B, N, p p C] -> [B, C, H, W]"""
        size, channels = self.config.patch_size, self.config.out_channels
        side = self.config.input_size // size
        patches = tokens.reshape(-1, side, side, size, size, channels)
        return patches.permute(0, 5, 1, 3, 2, 4).reshape(-1, channels, side * size, side * size)

    def _dit_blocks(self) -> list[DiTBlock]:
        return [block for block in self.blocks if isinstance(block, DiTBlock)]


class DiTBlock(nn.Module):
    """Attention and feed-forward, both scaled, shifted and gated by the condition `c` [B, D]; `x` is [B, N, D]."""

    def __init__(self, hidden_size: int, num_heads: int, mlp_ratio: float) -> None:
        super().__init__()
        self.attn = Attention(hidden_size, num_heads)
        self.cross_attn = CrossAttention(hidden_size, num_heads)
        self.mlp = FeedForward(hidden_size, int(hidden_size * mlp_ratio))
        self.adaLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(hidden_size, 6 * hidden_size))

    def forward(self, x: Tensor, c: Tensor, cx: Tensor | None = None) -> Tensor:
        """`cx` [B, M, D]: tokens to look at, in networks that have them."""
        shift_msa, scale_msa, gate_msa, shift_mlp, scale_mlp, gate_mlp = (
            self.adaLN_modulation(c).unsqueeze(1).chunk(6, dim=-1)
        )
        x = x + gate_msa * self.attn(_modulated(x, shift_msa, scale_msa))
        if cx is not None:
            x = x + self.cross_attn(x, cx)
        return x + gate_mlp * self.mlp(_modulated(x, shift_mlp, scale_mlp))


class Attention(nn.Module):
    """Of tokens among themselves."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        queries, keys, values = (_split(part, self.heads) for part in self.qkv(x).chunk(3, dim=-1))
        return self.proj(_joined(F.scaled_dot_product_attention(queries, keys, values)))


class CrossAttention(nn.Module):
    """Of tokens to others of the same width."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.c_kv_attn = nn.Linear(width, 2 * width)
        self.c_q_attn = nn.Linear(width, width)
        self.c_proj = nn.Linear(width, width)

    def forward(self, x: Tensor, cx: Tensor) -> Tensor:
        keys, values = (_split(part, self.heads) for part in self.c_kv_attn(cx).chunk(2, dim=-1))
        queries = _split(self.c_q_attn(x), self.heads)
        return self.c_proj(_joined(F.scaled_dot_product_attention(queries, keys, values)))


class FeedForward(nn.Module):
    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, hidden)
        self.fc2 = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(F.gelu(self.fc1(x), approximate="tanh"))


class PatchEmbed(nn.Module):
    """[B, C, H, W] -> [B, N, D], patches in rows."""

    def __init__(self, size: int, channels: int, width: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(channels, width, size, stride=size)

    def forward(self, x: Tensor) -> Tensor:
        return self.proj(x).flatten(2).transpose(1, 2)


class TimestepEmbedder(nn.Module):
    """[B] timesteps -> [B, D]"""

    def __init__(self, hidden_size: int, frequency_embedding_size: int = FREQUENCIES) -> None:
        super().__init__()
        self.frequencies = frequency_embedding_size
        self.mlp = nn.Sequential(
            nn.Linear(frequency_embedding_size, hidden_size), nn.SiLU(), nn.Linear(hidden_size, hidden_size)
        )

    def forward(self, t: Tensor) -> Tensor:
        weights = _weights(self.mlp)
        return self.mlp(timestep_waves(t, self.frequencies).to(weights[0].dtype))


class LabelEmbedder(nn.Module):
    """[B] labels -> [B, D]; the last row of the table is for no category, which training mixes in."""

    def __init__(self, classes: int, width: int, dropout: float) -> None:
        super().__init__()
        self.embedding_table = nn.Embedding(classes + 1, width)
        self.dropout = dropout

    def forward(self, y: Tensor) -> Tensor:
        if self.training and self.dropout > 0:
            dropped = torch.rand(len(y), device=y.device) < self.dropout
            y = torch.where(dropped, self.embedding_table.num_embeddings - 1, y)
        return self.embedding_table(y)


class FinalLayer(nn.Module):
    """[B, N, D] -> [B, N, p p C]; in a patch by row, column, channel."""

    def __init__(self, width: int, patch: int, channels: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, patch * patch * channels)
        self.adaLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(width, 2 * width))

    def forward(self, x: Tensor, c: Tensor) -> Tensor:
        shift, scale = self.adaLN_modulation(c).unsqueeze(1).chunk(2, dim=-1)
        return self.linear(_modulated(x, shift, scale))


def timestep_waves(t: Tensor, count: int) -> Tensor:
    """[B, count] float32: cosines, then sines, of `t` at frequencies from 1 to nearly 1/10000.

    Frequencies come from the CPU: a last digit that differs in them is 1e-4 in a wave at t = 999.
    """
    half = count // 2
    frequencies = torch.exp(-math.log(10000) * torch.arange(half, dtype=torch.float32, device="cpu") / half)
    angles = t.float()[:, None] * frequencies.to(t.device)
    return torch.cat([torch.cos(angles), torch.sin(angles)], dim=-1)


def _modulated(x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    return F.layer_norm(x, x.shape[-1:], eps=1e-6) * (1 + scale) + shift


def _split(x: Tensor, heads: int) -> Tensor:
    """[B, N, D] -> [B, heads, N, D / heads]"""
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


def _joined(x: Tensor) -> Tensor:
    return x.transpose(1, 2).flatten(2)


def _weights(module: nn.Module) -> list[Tensor]:
    """Of its linear layers, in order."""
    return [layer.weight for layer in module.modules() if isinstance(layer, nn.Linear)]
