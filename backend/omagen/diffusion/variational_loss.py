"""The loss of noise and variance: squared error of the noise, and the variational bound that trains the variance alone.

Nichol and Dhariwal 2021, section 3.1, "hybrid" objective without rescaling.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from omagen.diffusion.learned_variance import (
    Posterior,
    Predict,
    model_posterior,
    named_timesteps,
    q_sample,
    true_posterior,
)
from omagen.diffusion.schedule import DiscreteSchedule

_HALF_BIN = 1 / 255
"""Data counts as 8-bit values in [-1, 1] where the bound becomes a likelihood"""
_EDGE, _LEAST = 0.999, 1e-12


class VariationalLoss(NamedTuple):
    """[B] each: `loss` = `mse` + `bound` (bits per dimension); and the noisy x_t that they are of."""

    loss: Tensor
    mse: Tensor
    bound: Tensor
    x_t: Tensor


def variational_loss(
    schedule: DiscreteSchedule, predict: Predict, x0: Tensor, t: Tensor, noise: Tensor
) -> VariationalLoss:
    """`x0` [B, C, …] in [-1, 1], `t` [B] indices of `schedule`, `noise` like `x0`."""
    x_t = q_sample(schedule, x0, t, noise)
    prediction = predict(x_t, named_timesteps(schedule, t)).float()
    epsilon, share = prediction.chunk(2, dim=1)
    mse = _mean(torch.square(noise - epsilon))
    held = torch.cat([epsilon.detach(), share], dim=1)  # the bound is not to move the mean
    model = model_posterior(schedule, x_t, t, held, clamp=False)
    divergence = _divergence(true_posterior(schedule, x0, x_t, t), model)
    bound = torch.where(t == 0, _mean(-_log_likelihood(x0, model)), _mean(divergence)) / math.log(2)
    return VariationalLoss(mse + bound, mse, bound, x_t)


def _divergence(true: Posterior, model: Posterior) -> Tensor:
    """Kullback-Leibler, in nats, per element."""
    gap = model.log_variance - true.log_variance
    distance = torch.square(true.mean - model.mean) * torch.exp(-model.log_variance)
    return 0.5 * (gap - 1 + torch.exp(-gap) + distance)


def _log_likelihood(x0: Tensor, model: Posterior) -> Tensor:
    """Of the bin around `x0`, in nats; the outermost bins are open."""
    scale = torch.exp(-0.5 * model.log_variance)
    above = _cumulative((x0 + _HALF_BIN - model.mean) * scale)
    below = _cumulative((x0 - _HALF_BIN - model.mean) * scale)
    share = torch.where(x0 < -_EDGE, above, torch.where(x0 > _EDGE, 1 - below, above - below))
    return torch.log(share.clamp(min=_LEAST))


def _cumulative(z: Tensor) -> Tensor:
    """Of the standard normal distribution, by tanh, as the published loss approximates it."""
    return 0.5 * (1 + torch.tanh(math.sqrt(2 / math.pi) * (z + 0.044715 * z**3)))


def _mean(values: Tensor) -> Tensor:
    return values.flatten(1).mean(dim=1)
