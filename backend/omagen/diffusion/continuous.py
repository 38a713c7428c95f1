"""Gaussian diffusion in continuous time with the cosine schedule and v prediction, as imagen-pytorch 1.26.0 has it.

Time as log-SNR: Kingma et al. 2021 (arXiv 2107.00630). v: Salimans and Ho 2022 (arXiv 2202.00512). Dynamic
thresholding: Saharia et al. 2022 (arXiv 2205.11487). Weight of the loss: Hang et al. 2023 (arXiv 2303.09556).
Time runs from 0 (data) to 1 (noise); x_t = alpha x_0 + sigma noise. A sampler's schedule is float32 made on the
processor: at time 1 it hangs on how float32 rounds pi / 2, and so is the same for every device.
"""

from __future__ import annotations

import math
from typing import Final

import torch

_OFFSET: Final = 0.008
_LEAST_LOG: Final = 1e-20
"""Below it, a variance is taken for this before its logarithm."""
PERCENTILE: Final = 0.95
"""Share of absolute values that dynamic thresholding leaves unclamped"""


def log_snr(time: torch.Tensor) -> torch.Tensor:
    """log(alpha² / sigma²) of the cosine schedule at `time` in 0..1; any shape, float32."""
    angle = (time + _OFFSET) / (1 + _OFFSET) * math.pi * 0.5
    return -torch.log((torch.cos(angle) ** -2 - 1).clamp(min=1e-5))


def log_snrs(steps: int) -> torch.Tensor:
    """Those that a sampler of `steps` equal steps of time visits, from noise to data; float32 (steps + 1,)"""
    return log_snr(torch.linspace(1.0, 0.0, steps + 1))


def alpha_sigma(log_snr: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The factors of data and noise; their squares add up to 1."""
    return torch.sigmoid(log_snr).sqrt(), torch.sigmoid(-log_snr).sqrt()


def add_noise(x0: torch.Tensor, noise: torch.Tensor, log_snr: torch.Tensor) -> torch.Tensor:
    """x_t of data (B, ...) at `log_snr` (B,)"""
    alpha, sigma = alpha_sigma(beside(log_snr, x0))
    return alpha * x0 + sigma * noise


def v_target(x0: torch.Tensor, noise: torch.Tensor, log_snr: torch.Tensor) -> torch.Tensor:
    """What a network that predicts v should say: alpha noise - sigma x0, for data (B, ...) at `log_snr` (B,)"""
    alpha, sigma = alpha_sigma(beside(log_snr, x0))
    return alpha * noise - sigma * x0


def x0_from_v(x: torch.Tensor, v: torch.Tensor, log_snr: torch.Tensor) -> torch.Tensor:
    """The data that `v` implies at `x` (B, ...) and `log_snr` (B,)"""
    alpha, sigma = alpha_sigma(beside(log_snr, x))
    return alpha * x - sigma * v


def dynamic_threshold(x0: torch.Tensor, percentile: float = PERCENTILE) -> torch.Tensor:
    """Each sample of `x0` (B, ...) clamped to the percentile of its absolute values, at least 1, and divided by it."""
    limit = torch.quantile(x0.flatten(1).abs(), percentile, dim=-1).clamp(min=1.0)
    limit = beside(limit, x0)
    return x0.clamp(-limit, limit) / limit


def posterior(
    x0: torch.Tensor, x: torch.Tensor, log_snr: torch.Tensor, log_snr_next: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Mean (B, ...), variance and log variance (B, 1, ...) of the next, less noisy x; log-SNRs are (B,)."""
    here, there = beside(log_snr, x), beside(log_snr_next, x)
    alpha, _ = alpha_sigma(here)
    alpha_next, sigma_next = alpha_sigma(there)
    share = -torch.expm1(here - there)
    mean = alpha_next * (x * (1 - share) / alpha + share * x0)
    variance = sigma_next**2 * share
    return mean, variance, variance.clamp(min=_LEAST_LOG).log()


def min_snr_weight(log_snr: torch.Tensor, gamma: float = 5.0) -> torch.Tensor:
    """Weight of a v loss at `log_snr`: min(SNR, gamma) / (SNR + 1)"""
    snr = log_snr.exp()
    return snr.clamp(max=gamma) / (snr + 1)


def v_loss(prediction: torch.Tensor, target: torch.Tensor, log_snr: torch.Tensor, gamma: float = 5.0) -> torch.Tensor:
    """Mean squared error of each of B samples times its `min_snr_weight`; float32 (B,)"""
    error = (prediction.float() - target.float()) ** 2
    return error.flatten(1).mean(dim=1) * min_snr_weight(log_snr, gamma)


def beside(values: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """(B,) as (B, 1, ...) that broadcasts against `x` (B, ...)"""
    return values.reshape(-1, *[1] * (x.ndim - 1))
