"""Samplers of diffusion in continuous time: the published ancestral one, and a fast one.

Both are given a network that predicts v and ask it `steps` times. They yield after every step, so whoever iterates
reports progress and may stop. Both clamp the data they see to a percentile, which guidance needs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import torch

from omagen.diffusion.continuous import (
    PERCENTILE,
    alpha_sigma,
    dynamic_threshold,
    log_snrs,
    posterior,
    x0_from_v,
)

_LEAST_LOG_SNR: Final = -10.2
"""Where the fast sampler begins: the data is a 160th of the noise"""

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
    """The published sampler: equal steps of time, the posterior of every step, new noise.

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

    The network is asked at log-SNRs that are evenly spaced, from where nothing is left of the data to the schedule's
    end: on mixtures of normal distributions this needs a third of the evaluations of even times. Second order by what
    the network saw one step before; what it sees at the end is the result.
    """
    x = draw_noise()
    end = log_snrs(steps)[-1].item()
    schedule = torch.linspace(_LEAST_LOG_SNR, end, steps, device=x.device)
    before: torch.Tensor | None = None
    for number in range(steps):
        here = schedule[number].expand(len(x))
        x0 = dynamic_threshold(x0_from_v(x, predict_v(x, here).float(), here), percentile)
        if number == steps - 1:
            x = x0
        else:
            (_, sigma), (alpha_next, sigma_next) = (alpha_sigma(value) for value in schedule[number : number + 2])
            ahead = x0 if before is None else x0 + (x0 - before) / 2
            half = (schedule[number + 1] - schedule[number]) / 2  # the paper's h: lambda is half the log-SNR
            x = sigma_next / sigma * x - alpha_next * torch.expm1(-half) * ahead
        before = x0
        yield SamplingStep(number + 1, x, x0)
