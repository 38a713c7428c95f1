"""Noise schedules in discrete time, and the subsets of their steps that samplers visit.

Ho et al. 2020 (DDPM) for the posterior, Nichol and Dhariwal 2021 (improved DDPM) for the squared cosine and respacing.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

STEPS = 1000
"""Of the process that published networks are trained on"""
_OFFSET, _MOST_BETA = 0.008, 0.999


def squared_cosine_betas(steps: int = STEPS) -> np.ndarray:
    """(steps,) float64: beta_i = min(1 - a((i+1)/steps) / a(i/steps), 0.999), a(t) = cos((t + s) / (1 + s) pi/2)^2."""
    alpha_bar = np.cos((np.arange(steps + 1) / steps + _OFFSET) / (1 + _OFFSET) * np.pi / 2) ** 2
    return np.minimum(1 - alpha_bar[1:] / alpha_bar[:-1], _MOST_BETA)


def spaced_timesteps(steps: int, rule: str) -> np.ndarray:
    """Ascending int64 subset of 0 … steps-1.

    `rule` "n1,n2,…" takes n_k of each of as many equal sections, from its first to its last step; "ddimN" takes every
    s-th from 0, for the smallest s that gives N. Raises `ValueError` where there are not so many steps.
    """
    if rule.startswith("ddim"):
        wanted = int(rule.removeprefix("ddim"))
        for stride in range(1, steps):
            if len(range(0, steps, stride)) == wanted:
                return np.arange(0, steps, stride)
        raise ValueError(f"no stride gives {wanted} of {steps} steps")
    counts = [int(count) for count in rule.split(",")]
    short, longer = divmod(steps, len(counts))
    chosen, start = [], 0
    for number, count in enumerate(counts):
        size = short + (number < longer)
        if not 1 <= count <= size:
            raise ValueError(f"a section of {size} steps cannot give {count}")
        stride = (size - 1) / (count - 1) if count > 1 else 1.0
        places = np.cumsum([0.0] + [stride] * (count - 1))  # summed up, as published: rounding decides at halves
        chosen.append(start + np.round(places).astype(np.int64))
        start += size
    return np.concatenate(chosen)


@dataclass(frozen=True, eq=False)
class DiscreteSchedule:
    """A process of N steps. Tables are (N,) float64; index 0 is the step with the least noise."""

    betas: np.ndarray
    timestep_map: np.ndarray
    """(N,) int64: what each step is called to the network, which knows the process it was trained on"""

    @classmethod
    def squared_cosine(cls, steps: int = STEPS) -> DiscreteSchedule:
        return cls(squared_cosine_betas(steps), np.arange(steps))

    def respaced(self, rule: str) -> DiscreteSchedule:
        """The process that visits only the steps of `rule` (see `spaced_timesteps`) and has the same noise there."""
        kept = spaced_timesteps(len(self), rule)
        noise = self.alphas_cumprod[kept]
        return DiscreteSchedule(1 - noise / np.append(1.0, noise[:-1]), self.timestep_map[kept])

    def __len__(self) -> int:
        return len(self.betas)

    @cached_property
    def alphas_cumprod(self) -> np.ndarray:
        return np.cumprod(1 - self.betas)

    @cached_property
    def alphas_cumprod_prev(self) -> np.ndarray:
        return np.append(1.0, self.alphas_cumprod[:-1])

    @cached_property
    def posterior_variance(self) -> np.ndarray:
        """Of q(x_{t-1} | x_t, x_0); 0 at step 0."""
        return self.betas * (1 - self.alphas_cumprod_prev) / (1 - self.alphas_cumprod)

    @cached_property
    def posterior_log_variance_clipped(self) -> np.ndarray:
        """Its logarithm; step 0 has the value of step 1, instead of minus infinity. Alone it has that of its beta."""
        variance = self.posterior_variance
        return np.log(np.append(variance[1] if len(self) > 1 else self.betas[0], variance[1:]))

    @cached_property
    def posterior_mean_coef1(self) -> np.ndarray:
        """Of x_0 in the mean of q(x_{t-1} | x_t, x_0)."""
        return self.betas * np.sqrt(self.alphas_cumprod_prev) / (1 - self.alphas_cumprod)

    @cached_property
    def posterior_mean_coef2(self) -> np.ndarray:
        """Of x_t in the mean of q(x_{t-1} | x_t, x_0)."""
        return (1 - self.alphas_cumprod_prev) * np.sqrt(1 - self.betas) / (1 - self.alphas_cumprod)
