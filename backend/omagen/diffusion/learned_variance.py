"""Diffusion whose network predicts the noise and, beside it, how large the step's variance is.

Nichol and Dhariwal 2021, section 3.1. Tensors are [B, C, …]; a prediction is [B, 2C, …], the noise first. `t` is [B]
int64, an index of the schedule. Tables are float64 and are used as float32.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from omagen.diffusion.schedule import DiscreteSchedule

Predict = Callable[[Tensor, Tensor], Tensor]
"""(x_t, timestep as the network knows it, [B] int64) -> prediction [B, 2C, …]"""


class Posterior(NamedTuple):
    """A Gaussian over x_{t-1}."""

    mean: Tensor
    log_variance: Tensor


def q_sample(schedule: DiscreteSchedule, x0: Tensor, t: Tensor, noise: Tensor) -> Tensor:
    """x_t: `x0` with as much of `noise` as step `t` has."""
    alpha_bar = schedule.alphas_cumprod
    return _at(np.sqrt(alpha_bar), t, x0) * x0 + _at(np.sqrt(1 - alpha_bar), t, x0) * noise


def predicted_x0(schedule: DiscreteSchedule, x: Tensor, t: Tensor, epsilon: Tensor) -> Tensor:
    """What `x` is without the noise `epsilon`; not clamped."""
    inverse = 1 / schedule.alphas_cumprod
    return _at(np.sqrt(inverse), t, x) * x - _at(np.sqrt(inverse - 1), t, x) * epsilon


def true_posterior(schedule: DiscreteSchedule, x0: Tensor, x: Tensor, t: Tensor) -> Posterior:
    """q(x_{t-1} | x_t, x_0)"""
    mean = _at(schedule.posterior_mean_coef1, t, x) * x0 + _at(schedule.posterior_mean_coef2, t, x) * x
    return Posterior(mean, _at(schedule.posterior_log_variance_clipped, t, x).expand_as(x))


def model_posterior(schedule: DiscreteSchedule, x: Tensor, t: Tensor, prediction: Tensor, clamp: bool) -> Posterior:
    """The Gaussian that the network says. `clamp` holds x_0 to [-1, 1], the range of data, as sampling does."""
    epsilon, share = prediction.float().chunk(2, dim=1)
    x0 = predicted_x0(schedule, x, t, epsilon)
    mean = true_posterior(schedule, x0.clamp(-1, 1) if clamp else x0, x, t).mean
    least, most = _at(schedule.posterior_log_variance_clipped, t, x), _at(np.log(schedule.betas), t, x)
    fraction = (share + 1) / 2
    return Posterior(mean, fraction * most + (1 - fraction) * least)


def ancestral_samples(
    schedule: DiscreteSchedule, predict: Predict, noise: Tensor, fresh: Callable[[int], Tensor]
) -> Iterator[Tensor]:
    """The state after every step, from `noise` [B, C, …] to a sample in [-1, 1]: the last one.

    `fresh(k)` is the noise of the k-th step taken, like `noise`; it is asked for at every step, the last too, which
    does not use it, so that the order of random numbers is the published one.
    """
    x = noise
    for taken, step in enumerate(reversed(range(len(schedule)))):
        t = torch.full((len(x),), step, device=x.device)
        posterior = model_posterior(schedule, x, t, predict(x, named_timesteps(schedule, t)), clamp=True)
        grain = fresh(taken)
        x = posterior.mean if step == 0 else posterior.mean + torch.exp(0.5 * posterior.log_variance) * grain
        yield x


def named_timesteps(schedule: DiscreteSchedule, t: Tensor) -> Tensor:
    """`t` as the network knows it."""
    return torch.as_tensor(schedule.timestep_map, device=t.device)[t]


def _at(table: np.ndarray, t: Tensor, like: Tensor) -> Tensor:
    """[B, 1, …] float32"""
    return torch.as_tensor(table.astype(np.float32), device=t.device)[t].reshape(-1, *[1] * (like.ndim - 1))
