"""Adapters of geo2mat, the published network of materials, and of p-FID and p-KID. Tolerances are the fixtures' own."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from omagen.evaluate import frechet
from parity.fixtures import Fixture, read_fixture
from parity.omages_null2geo import array, loaded, tensors, torch_adapter
from parity.registry import Outcome, Tolerance, adapter

if TYPE_CHECKING:
    from omagen.engines.omages.unet import UNet
    from torch import nn

LAYER = Tolerance(1e-5, 1e-5)
ATTENTION = Tolerance(1e-5, 2e-5)
SCHEDULE = Tolerance(1e-4, 1e-5)
NETWORK = Tolerance(1e-4, 3e-4)
SAMPLE = Tolerance(1e-3, 2e-4)


@torch_adapter("Attention")
def self_attention(fixture: Fixture) -> Outcome:
    from omagen.engines.omages.unet_attention import SelfAttention

    ours, given = loaded(SelfAttention(**_cosine(fixture.config)), fixture.params), tensors(fixture)
    compared = {"no_context": ours(given["x"])}
    if "context" in given:
        compared["with_context"] = ours(given["x"], given["context"])
    return Outcome({name: (array(value), ATTENTION) for name, value in compared.items()})


@torch_adapter("CrossAttention")
def cross_attention(fixture: Fixture) -> Outcome:
    from omagen.engines.omages.unet_attention import CrossAttention

    return _layer(CrossAttention(**_cosine(fixture.config)), fixture, ATTENTION, "x", "context")


@torch_adapter("FeedForward")
def feed_forward(fixture: Fixture) -> Outcome:
    from omagen.engines.omages.unet_attention import FeedForward

    return _layer(FeedForward(**fixture.config), fixture, ATTENTION, "x")


@torch_adapter("TransformerBlock")
def transformer_block(fixture: Fixture) -> Outcome:
    from omagen.engines.omages.unet_attention import TransformerBlock

    return _layer(TransformerBlock(**fixture.config), fixture, ATTENTION, "x", "context")


@torch_adapter("PerceiverResampler")
def perceiver_resampler(fixture: Fixture) -> Outcome:
    from omagen.engines.omages.unet_resampler import PerceiverResampler

    return _layer(PerceiverResampler(**fixture.config), fixture, ATTENTION, "x")


@torch_adapter("ResnetBlock")
def resnet_block(fixture: Fixture) -> Outcome:
    from omagen.engines.omages.unet_blocks import ResnetBlock

    return _layer(ResnetBlock(**fixture.config), fixture, ATTENTION, "x", "time_emb", "cond")


@torch_adapter("Sequential")
def downsample(fixture: Fixture) -> Outcome:
    from omagen.engines.omages.unet_blocks import Downsample

    return _layer(Downsample(**fixture.config), fixture, LAYER, "x")


@torch_adapter("PixelShuffleUpsample")
def upsample(fixture: Fixture) -> Outcome:
    from omagen.engines.omages.unet_blocks import PixelShuffleUpsample

    return _layer(PixelShuffleUpsample(**fixture.config), fixture, LAYER, "x")


@torch_adapter("CrossEmbedLayer")
def cross_embed(fixture: Fixture) -> Outcome:
    from omagen.engines.omages.unet_blocks import CrossEmbed

    return _layer(CrossEmbed(**fixture.config), fixture, LAYER, "x")


@torch_adapter("LearnedSinusoidalPosEmb")
def learned_sinusoid(fixture: Fixture) -> Outcome:
    from omagen.engines.omages.unet_blocks import LearnedSinusoid

    return _layer(LearnedSinusoid(**fixture.config), fixture, LAYER, "x")


@torch_adapter("GaussianDiffusionContinuousTimes")
def schedule(fixture: Fixture) -> Outcome:
    from omagen.diffusion import continuous

    assert fixture.config["noise_schedule"] == "cosine", fixture.config
    given = tensors(fixture)
    log_snr, ends = continuous.log_snr(given["times"]), continuous.log_snrs(fixture.config["timesteps"])
    here, there = ends[:-1], ends[1:]
    mean, variance, log_variance = continuous.posterior(given["x0"], given["xt"], here, there)
    alpha, sigma = continuous.alpha_sigma(log_snr)
    ours = {
        "log_snr": log_snr,
        "alpha": alpha,
        "sigma": sigma,
        "post_mean": mean,
        "post_var": variance,
        "post_logvar": log_variance,
        "x_start_from_v": continuous.x0_from_v(given["xt"], given["x0"], here),
    }
    return Outcome({name: (array(value), SCHEDULE) for name, value in ours.items()})


@torch_adapter("Unet")
def network(fixture: Fixture) -> Outcome:
    import torch

    ours, given = unet(fixture.config, fixture), tensors(fixture)
    about = (given["x"], given["time"], given["cond_images"])
    nothing = torch.zeros(len(given["x"]), dtype=torch.bool)
    compared: dict[str, Any] = {"dropped": ours(*about, given["text_embeds"], nothing)}
    condition, dropped = ours.condition(given["text_embeds"]), ours.condition(given["text_embeds"], nothing)
    compared["cfg3"] = ours.guided(*about, condition, dropped, 3.0)
    for name, inner in {"init_conv": "init_conv", "c_tokens": "norm_cond", "mid_block2": "mid_block2"}.items():
        ours.get_submodule(inner).register_forward_hook(partial(_remember, compared, name))
    compared["out"] = ours(*about, given["text_embeds"])
    return Outcome({name: (array(value), NETWORK) for name, value in compared.items()})


@torch_adapter("Imagen.sample")
def sampling(fixture: Fixture) -> Outcome:
    import torch
    from omagen.diffusion.continuous_samplers import ancestral_steps
    from omagen.engines.omages.geo2mat import velocity

    config, given = fixture.config, tensors(fixture)
    assert (config["pred_objective"], config["noise_schedule"]) == ("v", "cosine"), config
    draws = iter([given["init"], *given["noise"]])
    predict = velocity(unet(config["unet"], fixture), given["cond_images"], given["text_embeds"], config["cond_scale"])
    percentile = config["dynamic_thresholding_percentile"]
    steps = list(ancestral_steps(predict, lambda: next(draws), config["timesteps"], percentile))
    return Outcome({
        "sample": (array(steps[-1].x.clamp(-1, 1)), SAMPLE),
        "trajectory": (array(torch.stack([step.x for step in steps])), SAMPLE),
        "x_start": (array(torch.stack([step.x0 for step in steps])), SAMPLE),
    })  # fmt: skip


@torch_adapter("Imagen.p_losses")
def training_loss(fixture: Fixture) -> Outcome:
    from omagen.diffusion import continuous

    config, given = fixture.config, tensors(fixture)
    assert config["pred_objective"] == "v", config
    ours = unet(config["unet"], _parameters(fixture))
    log_snr = continuous.log_snr(given["times"])
    noisy = continuous.add_noise(given["x_start"], given["noise"], log_snr)
    target = continuous.v_target(given["x_start"], given["noise"], log_snr)
    prediction = ours(noisy, log_snr, given["cond_images"], given["text_embeds"])
    each = continuous.v_loss(prediction, target, log_snr, config["min_snr_gamma"])
    values = {"log_snr": log_snr, "x_noisy": noisy, "target": target, "loss_each": each, "loss": each.mean()}
    return Outcome({name: (array(value), SCHEDULE) for name, value in values.items()})


@adapter("omages", "fpd_eval")
def feature_distances(fixture: Fixture) -> Outcome:
    given, close = fixture.inputs, Tolerance(relative=1e-6)
    fid = frechet.frechet_distance(given["feat1"], given["feat2"])
    kid = frechet.kernel_distance(given["feat1"], given["kid_feat2"], fixture.config["num_subsets"])
    return Outcome({"fid": (np.array([fid]), close), "kid": (np.array([kid]), close)})


def unet(options: Mapping[str, Any], source: Fixture) -> UNet:
    from omagen.engines.omages.unet import UNet
    from omagen.engines.omages.unet_config import UNetConfig

    return loaded(UNet(UNetConfig.from_options(options)), source.params)


def _layer(module: nn.Module, fixture: Fixture, tolerance: Tolerance, *inputs: str) -> Outcome:
    """Of a layer with one output, called with the fixture's `inputs` in this order; None where there is none."""
    given = tensors(fixture)
    ours = loaded(module, fixture.params)(*(given.get(name) for name in inputs))
    return Outcome({"out": (array(ours), tolerance)})


def _parameters(fixture: Fixture) -> Fixture:
    """The file beside `fixture` that has its parameters, as its configuration says"""
    name = fixture.config["unet_params"].rpartition(" ")[2]
    return read_fixture(fixture.path.with_name(f"{name}.safetensors"))


def _cosine(config: Mapping[str, Any]) -> dict[str, Any]:
    """Without the scale of similarities, which is the same everywhere"""
    from omagen.engines.omages.unet_attention import COSINE_SCALE

    assert config["scale"] == COSINE_SCALE, config
    return {name: value for name, value in config.items() if name != "scale"}


def _remember(values: dict[str, Any], name: str, _module: Any, _inputs: Any, output: Any) -> None:
    values[name] = output
