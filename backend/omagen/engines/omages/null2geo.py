"""Geometry omages from categories: the network, guided, through one of three samplers.

Yan et al. 2024; the published sampler is `ancestral` with 250 steps and guidance 4.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import torch
from torch import Tensor

from omagen.diffusion.fast_samplers import ddim_samples, dpm_samples, log_snr_timesteps
from omagen.diffusion.learned_variance import Predict, ancestral_samples
from omagen.diffusion.noise import SeededNoise
from omagen.diffusion.schedule import STEPS, DiscreteSchedule
from omagen.engines.omages.dit import OmgDiT
from omagen.protocol import ErrorCode, OmagenError


class GeometrySampler(StrEnum):
    ANCESTRAL = "ancestral"
    DDIM = "ddim"
    DPM = "dpm++"


USUAL_STEPS: Final = {GeometrySampler.ANCESTRAL: 250, GeometrySampler.DDIM: 50, GeometrySampler.DPM: 25}


@dataclass(frozen=True)
class GeometrySettings:
    """How to sample. `steps` 0 takes the sampler's usual number; guidance 1 is none and halves the work."""

    sampler: GeometrySampler = GeometrySampler.DPM
    steps: int = 0
    guidance: float = 4.0


def sample_geometry(
    network: OmgDiT,
    labels: Sequence[int],
    seeds: Sequence[int],
    settings: GeometrySettings,
    progress: Callable[[str, float], None],
) -> Tensor:
    """[B, C, H, W] float32 in [-1, 1] on the network's device: position and occupancy of B omages, made in one batch.

    `labels` and `seeds` are one for each; an omage's random numbers depend on its own seed only, and come from the
    CPU, so that they are the same on every device. `progress` is called before every step and may raise (cancelling).
    Raises `OmagenError` (input) for labels, seeds and steps that cannot be, (model) where numbers overflow.
    """
    sampler = GeometrySampler(settings.sampler)
    steps = settings.steps or USUAL_STEPS[sampler]
    _check(network, labels, seeds, steps)
    device, training = network.pos_embed.device, network.training
    noise = SeededNoise(seeds, (network.config.in_channels, *[network.config.input_size] * 2), device)
    predict = guided(network, torch.tensor(labels, device=device), settings.guidance)
    total, states = _states(sampler, steps, predict, noise)
    state = torch.empty(0)
    network.eval()
    try:
        with torch.inference_mode():
            for step in range(total):
                progress(f"Making geometry, step {step + 1} of {total}", step / total)
                state = next(states)
    finally:
        network.train(training)
    if not bool(torch.isfinite(state).all()):
        raise OmagenError(
            ErrorCode.MODEL,
            "The network gave values that are not numbers.",
            "Use full precision, and check that the weights are whole.",
        )
    return state


def guided(network: OmgDiT, labels: Tensor, guidance: float) -> Predict:
    """The network's prediction for `labels` [B], guided: the first half of what `forward_with_cfg` gives."""
    if guidance == 1:
        return lambda x, t: network(x, labels, t)
    both = torch.cat([labels, torch.full_like(labels, network.null_class)])

    def predict(x: Tensor, t: Tensor) -> Tensor:
        return network.forward_with_cfg(torch.cat([x, x]), both, torch.cat([t, t]), guidance)[: len(x)]

    return predict


def _states(sampler: GeometrySampler, steps: int, predict: Predict, noise: SeededNoise) -> tuple[int, Iterator[Tensor]]:
    """How many steps there are, and the state after each."""
    schedule, start = DiscreteSchedule.squared_cosine(), noise.draw()
    spaced = schedule.respaced(str(steps))
    if sampler is GeometrySampler.ANCESTRAL:
        return steps, ancestral_samples(spaced, predict, start, lambda _: noise.draw())
    if sampler is GeometrySampler.DDIM:
        return steps, ddim_samples(spaced, predict, start)
    timesteps = log_snr_timesteps(schedule, steps)
    return len(timesteps), dpm_samples(schedule, predict, start, timesteps)


def _check(network: OmgDiT, labels: Sequence[int], seeds: Sequence[int], steps: int) -> None:
    categories = network.config.num_classes
    if not network.config.learn_sigma:
        raise OmagenError(ErrorCode.MODEL, "This network predicts no variance.", "Use the published configuration.")
    if not labels or len(labels) != len(seeds):
        raise OmagenError(
            ErrorCode.INPUT,
            f"There are {len(labels)} categories and {len(seeds)} seeds.",
            "Give one category and one seed for each object, at least one.",
        )
    if wrong := [label for label in labels if not 0 <= label <= categories]:
        raise OmagenError(
            ErrorCode.INPUT,
            f"There is no category {wrong[0]}.",
            f"Categories are 0 to {categories - 1}; {categories} is any.",
        )
    if not 1 <= steps <= STEPS:
        raise OmagenError(ErrorCode.INPUT, f"{steps} steps cannot be taken.", f"Take 1 to {STEPS}.")
