"""A perceiver resampler: what a sequence of class tokens says, in a fixed number of tokens (imagen-pytorch 1.26.0)."""

from __future__ import annotations

import torch
from torch import nn

from omagen.engines.omages.unet_attention import (
    FeedForward,
    GainNorm,
    cosine_attention,
    join_heads,
    pairs,
    split_heads,
)


class PerceiverAttention(nn.Module):
    """Latents look at a sequence and at one another, with the cosine similarities of the network's other attention."""

    def __init__(self, dim: int, heads: int = 8, dim_head: int = 64) -> None:
        super().__init__()
        self.heads = heads
        inner = heads * dim_head
        self.q_scale = nn.Parameter(torch.ones(dim_head))
        self.k_scale = nn.Parameter(torch.ones(dim_head))
        self.norm = nn.LayerNorm(dim)
        self.norm_latents = nn.LayerNorm(dim)
        self.to_q = nn.Linear(dim, inner, bias=False)
        self.to_kv = nn.Linear(dim, 2 * inner, bias=False)
        self.to_out = nn.Sequential(nn.Linear(inner, dim, bias=False), nn.LayerNorm(dim))

    def forward(self, x: torch.Tensor, latents: torch.Tensor) -> torch.Tensor:
        """`x` (B, N, dim), `latents` (B, L, dim) -> (B, L, dim)"""
        latents = self.norm_latents(latents)
        q = split_heads(self.to_q(latents), self.heads)
        keys_and_values = self.to_kv(torch.cat([self.norm(x), latents], dim=1))
        k, v = (split_heads(part, self.heads) for part in keys_and_values.chunk(2, dim=-1))
        return self.to_out(join_heads(cosine_attention(q, k, v, self.q_scale, self.k_scale)))


class PerceiverResampler(nn.Module):
    """(B, N, dim) -> (B, pooled + latents, dim): latents made of the sequence's mean, then learned ones."""

    def __init__(
        self,
        dim: int,
        depth: int = 2,
        *,
        heads: int = 8,
        dim_head: int = 64,
        num_latents: int = 32,
        num_latents_mean_pooled: int = 4,
        max_seq_len: int = 512,
        ff_mult: float = 4.0,
    ) -> None:
        super().__init__()
        self.latents = nn.Parameter(torch.randn(num_latents, dim))
        self.pos_emb = nn.Embedding(max_seq_len, dim)
        self.to_latents_from_mean_pooled_seq = nn.Sequential(
            GainNorm(dim),
            nn.Linear(dim, dim * num_latents_mean_pooled),
            nn.Unflatten(-1, (num_latents_mean_pooled, dim)),
        )
        self.layers = nn.ModuleList(
            nn.ModuleList([PerceiverAttention(dim, heads, dim_head), FeedForward(dim, ff_mult)]) for _ in range(depth)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """`x` (B, N, dim), N at most `max_seq_len`; the mean is that of all N before positions are added."""
        learned = self.latents.expand(len(x), -1, -1)
        latents = torch.cat([self.to_latents_from_mean_pooled_seq(x.mean(dim=1)), learned], dim=1)
        x = x + self.pos_emb.weight[: x.shape[1]]
        for attention, feed_forward in pairs(self.layers):
            latents = attention(x, latents) + latents
            latents = feed_forward(latents) + latents
        return latents
