"""Samplers of diffusion in continuous time: the published ancestral one, and a fast one.

Both are given a network that predicts v and take `steps` equal steps of time. They yield after every step, so whoever
iterates reports progress and may stop. Both clamp the data they see to a percentile, which guidance needs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch

from omagen.diffusion.continuous import (
    PERCENTILE,
    alpha_sigma,
    beside,
    dynamic_threshold,
    log_snrs,
    posterior,
    x0_from_v,
)

PredictV = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""v (B, ...) of x (B, ...) float32 and log-SNR (B,) float32, both on x's device"""


@dataclass(frozen=True)
class SamplingStep:
    """Where sampling stands after a step."""

    number: int
    """From 1 to the number of steps"""
    x: torch.Tensor
    """(B, ...) float32, with less noise than before. After the last step none, and still to be clamped to -1..1."""
    x0: torch.Tensor
    """(B, ...) float32, the data as the network sees it at this step, thresholded"""


def ancestral_steps(
    predict_v: PredictV, draw_noise: Callable[[], torch.Tensor], steps: int, percentile: float = PERCENTILE
) -> Iterator[SamplingStep]:
    """The published sampler: the posterior of every step, with new noise.

    `draw_noise()` gives (B, ...) float32; it is called once for the start and once a step, the last one included
    although nothing comes of it there: the published order.
    """
    x = draw_noise()
    schedule = log_snrs(steps).to(x.device)
    for number in range(steps):
        here, there = (value.expand(len(x)) for value in schedule[number : number + 2])
        x0 = dynamic_threshold(x0_from_v(x, predict_v(x, here).float(), here), percentile)
        mean, _, log_variance = posterior(x0, x, here, there)
        noise = draw_noise()
        x = mean if number == steps - 1 else mean + (0.5 * log_variance).exp() * noise
        yield SamplingStep(number + 1, x, x0)


def multistep_steps(
    predict_v: PredictV, draw_noise: Callable[[], torch.Tensor], steps: int, percentile: float = PERCENTILE
) -> Iterator[SamplingStep]:
    """DPM-Solver++ (2M), Lu et al. 2022 (arXiv 2211.01095), algorithm 2: no noise but that of the start.

    Second order in log-SNR by what the network saw one step before; the first and the last step are of first order.
    """
    x = draw_noise()
    schedule = log_snrs(steps).to(x.device)
    before: tuple[torch.Tensor, torch.Tensor] | None = None
    for number in range(steps):
        here, there = (value.expand(len(x)) for value in schedule[number : number + 2])
        x0 = dynamic_threshold(x0_from_v(x, predict_v(x, here).float(), here), percentile)
        length = beside(there - here, x) / 2  # in half log-SNR, the paper's lambda
        data = x0
        if before is not None and number < steps - 1:
            x0_before, length_before = before
            data = x0 + (x0 - x0_before) * length / (2 * length_before)
        (_, sigma), (alpha_next, sigma_next) = (alpha_sigma(beside(value, x)) for value in (here, there))
        x = sigma_next / sigma * x - alpha_next * torch.expm1(-length) * data
        before = x0, length
        yield SamplingStep(number + 1, x, x0)
