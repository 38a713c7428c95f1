"""Attention of the material network: cosine similarities between vectors of unit length, with learned scales.

imagen-pytorch 1.26.0: queries and keys are normalised, multiplied by one learned scale per channel, and
their products multiplied by 8 before the softmax. That is the usual attention with its scale set to 8, so all of it
goes through `scaled_dot_product_attention`. Attribute names are those of the published checkpoint's keys.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import torch
import torch.nn.functional as F
from torch import nn

COSINE_SCALE: Final = 8.0


def cosine_attention(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, q_scale: torch.Tensor, k_scale: torch.Tensor
) -> torch.Tensor:
    """(B, H, N, D) from queries (B, H, N, D) and keys and values (B, H or 1, M, D); scales (D,).

    One head of keys and values serves all heads of queries. Keys are normalised here, learned ones among them.
    """
    q = F.normalize(q, dim=-1) * q_scale
    k = F.normalize(k, dim=-1) * k_scale
    heads = q.shape[1]
    k, v = (part.expand(-1, heads, -1, -1) for part in (k, v))
    return F.scaled_dot_product_attention(q, k, v, scale=COSINE_SCALE)


def split_heads(x: torch.Tensor, heads: int) -> torch.Tensor:
    """(B, N, heads * D), heads first, as (B, heads, N, D)"""
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


def join_heads(x: torch.Tensor) -> torch.Tensor:
    """(B, heads, N, D) as (B, N, heads * D)"""
    return x.transpose(1, 2).flatten(2)


class GainNorm(nn.Module):
    """Layer normalisation with a gain and no bias.

    The published one has a larger epsilon in other types than float32, in which the released weights were trained. Here
    it is the same in all, because another type shall give the trained network as nearly as it can.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.g = nn.Parameter(torch.ones(dim))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(..., dim) -> (..., dim)"""
        return F.layer_norm(x, self.g.shape, self.g, None, 1e-5)


class FeedForward(nn.Sequential):
    """Norm, linear, GELU, norm, linear; (..., dim) -> (..., dim). No biases."""

    def __init__(self, dim: int, mult: float = 2.0) -> None:
        hidden = int(dim * mult)
        super().__init__(
            GainNorm(dim), nn.Linear(dim, hidden, bias=False), nn.GELU(),
            GainNorm(hidden), nn.Linear(hidden, dim, bias=False),
        )  # fmt: skip


class CrossAttention(nn.Module):
    """Tokens look at the conditioning and at one learned key and value, which all heads share."""

    def __init__(self, dim: int, context_dim: int, heads: int = 8, dim_head: int = 64) -> None:
        super().__init__()
        self.heads = heads
        inner = heads * dim_head
        self.null_kv = nn.Parameter(torch.randn(2, dim_head))
        self.q_scale = nn.Parameter(torch.ones(dim_head))
        self.k_scale = nn.Parameter(torch.ones(dim_head))
        self.norm = GainNorm(dim)
        self.to_q = nn.Linear(dim, inner, bias=False)
        self.to_kv = nn.Linear(context_dim, 2 * inner, bias=False)
        self.to_out = nn.Sequential(nn.Linear(inner, dim, bias=False), GainNorm(dim))

    def forward(self, x: torch.Tensor, context: torch.Tensor) -> torch.Tensor:
        """`x` (B, N, dim), `context` (B, M, context_dim), which is not normalised -> (B, N, dim)"""
        q = split_heads(self.to_q(self.norm(x)), self.heads)
        k, v = (split_heads(part, self.heads) for part in self.to_kv(context).chunk(2, dim=-1))
        null = self.null_kv.to(k.dtype)[:, None, None, None].expand(-1, len(x), self.heads, 1, -1)
        k, v = (torch.cat([first, rest], dim=2) for first, rest in zip(null, (k, v), strict=True))
        return self.to_out(join_heads(cosine_attention(q, k, v, self.q_scale, self.k_scale)))


class SelfAttention(nn.Module):
    """Tokens look at the conditioning (where there is any), at one learned key and value, and at one another.

    All heads share one head of keys and values.
    """

    def __init__(self, dim: int, heads: int = 8, dim_head: int = 64, context_dim: int | None = None) -> None:
        super().__init__()
        self.heads = heads
        inner = heads * dim_head
        self.null_kv = nn.Parameter(torch.randn(2, dim_head))
        self.q_scale = nn.Parameter(torch.ones(dim_head))
        self.k_scale = nn.Parameter(torch.ones(dim_head))
        self.norm = GainNorm(dim)
        self.to_q = nn.Linear(dim, inner, bias=False)
        self.to_kv = nn.Linear(dim, 2 * dim_head, bias=False)
        self.to_context = (
            nn.Sequential(nn.LayerNorm(context_dim), nn.Linear(context_dim, 2 * dim_head)) if context_dim else None
        )
        self.to_out = nn.Sequential(nn.Linear(inner, dim, bias=False), GainNorm(dim))

    def forward(self, x: torch.Tensor, context: torch.Tensor | None = None) -> torch.Tensor:
        """`x` (B, N, dim), `context` (B, M, context_dim) -> (B, N, dim)"""
        x = self.norm(x)
        q = split_heads(self.to_q(x), self.heads)
        kv = self.to_kv(x)
        parts = [self.null_kv.to(kv.dtype).flatten().expand(len(x), 1, -1), kv]
        if context is not None:
            if self.to_context is None:
                raise ValueError("this attention was made without a context")
            parts.insert(0, self.to_context(context))
        k, v = torch.cat(parts, dim=1)[:, None].chunk(2, dim=-1)
        return self.to_out(join_heads(cosine_attention(q, k, v, self.q_scale, self.k_scale)))


class TransformerBlock(nn.Module):
    """Self-attention and feed-forward over the pixels of a map, `depth` times, each added to what it got."""

    def __init__(
        self,
        dim: int,
        depth: int = 1,
        *,
        heads: int = 8,
        dim_head: int = 64,
        ff_mult: float = 2.0,
        context_dim: int | None = None,
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.ModuleList([SelfAttention(dim, heads, dim_head, context_dim), FeedForward(dim, ff_mult)])
            for _ in range(depth)
        )

    def forward(self, x: torch.Tensor, context: torch.Tensor | None = None) -> torch.Tensor:
        """`x` (B, dim, H, W), `context` (B, M, context_dim) -> (B, dim, H, W)"""
        tokens = x.flatten(2).transpose(1, 2)
        for attention, feed_forward in pairs(self.layers):
            tokens = attention(tokens, context) + tokens
            tokens = feed_forward(tokens) + tokens
        return tokens.transpose(1, 2).unflatten(2, x.shape[2:])


def pairs(layers: nn.ModuleList) -> Iterable[tuple[nn.Module, nn.Module]]:
    """The two modules of each of `layers`"""
    return ((layer[0], layer[1]) for layer in layers if isinstance(layer, nn.ModuleList))
