"""Materials for geometry: albedo, metalness and roughness of omages whose position and occupancy are given.

Sampling of the omages system's second network (arXiv 2408.03178): by the published ancestral sampler or a fast one, at
any number of steps, with guidance, which was trained for and never used.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import torch

from omagen.diffusion.continuous_samplers import ancestral_steps, multistep_steps
from omagen.diffusion.noise import SeededNoise
from omagen.engines.omages.unet import UNet
from omagen.protocol import ErrorCode, OmagenError


class MaterialSampler(StrEnum):
    ANCESTRAL = "ancestral"
    """As published"""
    DPM = "dpm++"


USUAL_STEPS: Final = {MaterialSampler.ANCESTRAL: 1000, MaterialSampler.DPM: 25}
"""How often the network is asked. 25 of the fast sampler give what 1000 of the other do, where that can be measured:
on mixtures of normal distributions, for which the perfect network is known."""

MOST_STEPS: Final = 1000


@dataclass(frozen=True)
class MaterialSettings:
    """How to sample. `steps` 0 takes the sampler's usual number; guidance 1 is none (published) and halves the work."""

    sampler: MaterialSampler = MaterialSampler.DPM
    steps: int = 0
    guidance: float = 1.0


@torch.inference_mode()
def sample_materials(
    network: UNet,
    class_vectors: torch.Tensor,
    geometry: torch.Tensor,
    seeds: Sequence[int],
    settings: MaterialSettings,
    progress: Callable[[str, float], None],
) -> torch.Tensor:
    """Materials (B, 5, H, W) float32 in -1..1, on the network's device: albedo (linear), metalness, roughness.

    `class_vectors` (B, width) are rows of the checkpoint's class table. `geometry` (B, 4, H, W) in -1..1 is position
    and occupancy as the first network gives them, or with -1 in all channels of empty texels. All B are one batch.
    Every item has its own noise, drawn on the processor by its seed of `seeds` (B): the same request gives the same
    result, and an item's noise does not depend on its company. `progress` is called before every step and may raise
    (cancelling). Raises `OmagenError`: input for what does not fit, model where the network gives not-a-number.
    """
    sampler = MaterialSampler(settings.sampler)
    steps = settings.steps or USUAL_STEPS[sampler]
    _check(network, class_vectors, geometry, seeds)
    _check_settings(steps, settings.guidance)
    device = network.final_conv.weight.device
    geometry, class_vectors = geometry.to(device, torch.float32), class_vectors.to(device)
    noise = SeededNoise(seeds, (network.config.channels, *geometry.shape[2:]), device)
    predict = velocity(network, geometry, class_vectors[:, None], settings.guidance)
    states = (multistep_steps if sampler is MaterialSampler.DPM else ancestral_steps)(predict, noise.draw, steps)
    x = geometry
    for number in range(steps):
        progress(f"Making materials, step {number + 1} of {steps}", number / steps)
        x = next(states).x
    if not torch.isfinite(x).all():
        raise OmagenError(
            ErrorCode.MODEL,
            "The material network gave values that are not numbers.",
            "Check the checkpoint, or compute in float32.",
        )
    return x.clamp(-1, 1)


def velocity(
    network: UNet, geometry: torch.Tensor, embedding: torch.Tensor, guidance: float
) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    """The network as a function of x (B, C, H, W) and log-SNR (B,) alone; `embedding` (B, 1, width).

    The class is encoded once, here. A guidance of 1 needs no second prediction.
    """
    condition = network.condition(embedding)
    if guidance == 1:
        return lambda x, log_snr: network.denoise(x, log_snr, geometry, condition)
    nothing = torch.zeros(len(embedding), dtype=torch.bool, device=embedding.device)
    dropped = network.condition(embedding, nothing)
    return lambda x, log_snr: network.guided(x, log_snr, geometry, condition, dropped, guidance)


def _check(network: UNet, class_vectors: torch.Tensor, geometry: torch.Tensor, seeds: Sequence[int]) -> None:
    config, batch = network.config, len(seeds)
    multiple = 2 ** (len(config.dim_mults) - 1)
    if (
        geometry.ndim != 4
        or geometry.shape[:2] != (batch, config.cond_images_channels)
        or any(size < multiple or size % multiple for size in geometry.shape[2:])
        or batch == 0
    ):
        raise OmagenError(
            ErrorCode.INPUT,
            f"Geometry of shape {tuple(geometry.shape)} does not fit {batch} seeds and the material network.",
            f"Give {config.cond_images_channels} channels and sides that divide by {multiple}, one item for each seed.",
        )
    if class_vectors.shape != (batch, config.text_embed_dim):
        raise OmagenError(
            ErrorCode.INPUT,
            f"Class vectors of shape {tuple(class_vectors.shape)} do not fit.",
            f"Give one row of {config.text_embed_dim} numbers of the checkpoint's class table for each item.",
        )


def _check_settings(steps: int, guidance: float) -> None:
    if not 2 <= steps <= MOST_STEPS:
        raise OmagenError(ErrorCode.INPUT, f"{steps} steps cannot be taken.", f"Take 2 to {MOST_STEPS}.")
    if not 0 <= guidance <= 100:
        raise OmagenError(ErrorCode.INPUT, f"A guidance of {guidance} makes no sense.", "Take 0 to 100; 1 is none.")
