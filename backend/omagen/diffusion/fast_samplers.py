"""Samplers that take few steps, by diffusers, on our schedules.

DDIM: Song et al. 2021. DPM-Solver++ (2M): Lu et al. 2022. Both go without noise of their own and use the predicted
noise only; its x_0 is clamped to [-1, 1], as in ancestral sampling. They are given x_0, because diffusers splits off
a learned variance from pictures of three channels only.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from omagen.diffusion.learned_variance import Predict, predicted_x0
from omagen.diffusion.schedule import DiscreteSchedule

_LEAST_HALF_LOG_SNR = -5.1


def ddim_samples(schedule: DiscreteSchedule, predict: Predict, noise: Tensor) -> Iterator[Tensor]:
    """As `dpm_samples`, by DDIM, through all steps of `schedule`: a respaced one, for speed.

    diffusers finds a step's predecessor by a stride that has to be whole; here it is 1.
    """
    from diffusers.schedulers.scheduling_ddim import DDIMScheduler

    steps = len(schedule)
    scheduler = DDIMScheduler(steps, trained_betas=schedule.betas, clip_sample=False, prediction_type="sample")
    scheduler.alphas_cumprod = _exact(schedule)
    scheduler.set_timesteps(steps)
    yield from _samples(schedule, scheduler, predict, noise)


def dpm_samples(schedule: DiscreteSchedule, predict: Predict, noise: Tensor, timesteps: np.ndarray) -> Iterator[Tensor]:
    """The state after every step, from `noise` [B, C, …] to a sample in [-1, 1]: the last one.

    `timesteps` are descending steps of `schedule`: those of `log_snr_timesteps`, for accuracy.
    """
    from diffusers.schedulers.scheduling_dpmsolver_multistep import DPMSolverMultistepScheduler

    scheduler = DPMSolverMultistepScheduler(len(schedule), trained_betas=schedule.betas, prediction_type="sample")
    scheduler.alphas_cumprod = _exact(schedule)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # torch and numpy over an argument named copy
        scheduler.set_timesteps(timesteps=timesteps.tolist())
    yield from _samples(schedule, scheduler, predict, noise)


def log_snr_timesteps(schedule: DiscreteSchedule, steps: int) -> np.ndarray:
    """`steps` steps of `schedule`, descending, as even in the logarithm of signal to noise as whole steps can be.

    They are fewer where several fall on one. Beside steps that are even in time, 25 of DPM-Solver++ end nearer to where
    endless many would: a tenth of the error on data of one narrow value or of three, no less on two broad ones. The
    first step is where noise has 164 times the amplitude of x_0, diffusers' advice for squared cosines.
    """
    half_log_snr = 0.5 * np.log(schedule.alphas_cumprod / (1 - schedule.alphas_cumprod))
    wanted = np.linspace(max(half_log_snr[-1], _LEAST_HALF_LOG_SNR), half_log_snr[0], steps)
    places = np.interp(-wanted, -half_log_snr, np.arange(len(schedule)))
    return np.unique(np.round(places).astype(np.int64))[::-1]


def _exact(schedule: DiscreteSchedule) -> Tensor:
    """Multiplying betas in float32, as diffusers does, loses what is left of x_0 in the noisiest steps."""
    return torch.from_numpy(schedule.alphas_cumprod.astype(np.float32))


def _samples(schedule: DiscreteSchedule, scheduler: Any, predict: Predict, x: Tensor) -> Iterator[Tensor]:
    for step in scheduler.timesteps.tolist():
        t = torch.full((len(x),), step, device=x.device)
        channels = x.shape[1]
        name = torch.full_like(t, int(schedule.timestep_map[step]))
        epsilon = predict(x, name)[:, :channels].float()
        x0 = predicted_x0(schedule, x, t, epsilon).clamp(-1, 1)
        x = scheduler.step(x0, step, x).prev_sample
        yield x
