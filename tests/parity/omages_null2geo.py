"""Adapters of null2geo, the published network of geometry. Tolerances are those that the fixtures' description sets.

Nothing of torch is imported before an adapter runs: without it, its fixtures are skipped.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import pytest
from omagen.diffusion.schedule import DiscreteSchedule
from parity.fixtures import Fixture, read_fixture
from parity.registry import EXACT, Adapter, Outcome, Tolerance, adapter
from safetensors import safe_open

if TYPE_CHECKING:
    from omagen.engines.omages.dit import OmgDiT
    from torch import Tensor, nn

    Module = TypeVar("Module", bound=nn.Module)

NETWORK = Tolerance(1e-4, 5e-5)
TABLE = Tolerance(1e-9, 1e-12)
SAMPLE = Tolerance(1e-3, 2e-4)


def torch_adapter(network: str) -> Callable[[Adapter], Adapter]:
    """An adapter of omages that skips its fixture where torch is missing."""

    def register(function: Adapter) -> Adapter:
        @wraps(function)
        def run(fixture: Fixture) -> Outcome:
            pytest.importorskip("torch", reason="torch is not installed (extra `networks`)").set_num_threads(2)
            return function(fixture)

        return adapter("omages", network)(run)

    return register


@torch_adapter("DiTBlock")
def block(fixture: Fixture) -> Outcome:
    from omagen.engines.omages.dit import DiTBlock

    ours = loaded(DiTBlock(**fixture.config), fixture.params)
    given, tolerance = tensors(fixture), Tolerance(1e-5, 2e-5)
    return Outcome({
        "no_cx": (array(ours(given["x"], given["c"])), tolerance),
        "with_cx": (array(ours(given["x"], given["c"], given["cx"])), tolerance),
    })  # fmt: skip


@torch_adapter("TimestepEmbedder")
def timestep_embedder(fixture: Fixture) -> Outcome:
    from omagen.engines.omages.dit import TimestepEmbedder, timestep_waves

    ours = loaded(TimestepEmbedder(**fixture.config), fixture.params)
    t, tolerance = tensors(fixture)["t"], Tolerance(1e-5, 1e-5)
    return Outcome({
        "freq": (array(timestep_waves(t, fixture.config["frequency_embedding_size"])), tolerance),
        "emb": (array(ours(t)), tolerance),
    })  # fmt: skip


@torch_adapter("get_2d_sincos_pos_embed")
def position(fixture: Fixture) -> Outcome:
    from omagen.engines.omages.position_table import position_table

    table = position_table(fixture.config["embed_dim"], fixture.config["grid_size"])
    return Outcome({"pos_embed": (table, Tolerance(absolute=1e-9))})


@torch_adapter("OmgDiT")
def network(fixture: Fixture) -> Outcome:
    ours, given = dit(fixture.config, fixture), tensors(fixture)
    guided = ours.forward_with_cfg(given["x2"], given["y2"], given["t2"], float(given["cfg_scale"]))
    return Outcome({
        "out": (array(ours(given["x"], given["y"], given["t"])), NETWORK),
        "noy": (array(ours(given["x"], None, given["t"])), NETWORK),
        "cfg": (array(guided), NETWORK),
    })  # fmt: skip


@adapter("omages", "SpacedDiffusion")
def schedule(fixture: Fixture) -> Outcome:
    config = fixture.config
    assert config["noise_schedule"] == "squaredcos_cap_v2", config
    full = DiscreteSchedule.squared_cosine(config["diffusion_steps"])
    schedules = {"full": full} | {f"r{rule}": full.respaced(rule) for rule in config["respacings"]}
    tables = {
        "sqrt_alphas_cumprod": lambda ours: np.sqrt(ours.alphas_cumprod),
        "sqrt_one_minus_alphas_cumprod": lambda ours: np.sqrt(1 - ours.alphas_cumprod),
    }
    compared = {}
    for name in fixture.outputs:
        which, _, table = name.partition(".")
        ours = schedules[which]
        values = tables[table](ours) if table in tables else getattr(ours, table)
        compared[name] = (values, EXACT if table == "timestep_map" else TABLE)
    return Outcome(compared)


@torch_adapter("SpacedDiffusion.training_losses")
def training_loss(fixture: Fixture) -> Outcome:
    from omagen.diffusion.variational_loss import variational_loss

    ours, given = dit(fixture.config, with_parameters(fixture)), tensors(fixture)
    loss = variational_loss(
        DiscreteSchedule.squared_cosine(),
        lambda x, t: ours(x, given["y"], t),
        given["x_start"],
        given["t"],
        given["noise"],
    )
    fine = Tolerance(1e-4, 1e-4)
    early = fixture.inputs["t"] <= 3  # the bound of the first steps is a small difference of large numbers
    bound, published = array(loss.bound), fixture.outputs["vb"]
    np.testing.assert_allclose(bound[~early], published[~early], fine.relative, fine.absolute)
    return Outcome({
        "x_t": (array(loss.x_t), fine),
        "mse": (array(loss.mse), fine),
        "vb": (bound, Tolerance(1e-3, 1e-4)),
        "loss": (array(loss.loss), fine),
    })  # fmt: skip


@torch_adapter("p_sample_loop")
def sampling(fixture: Fixture) -> Outcome:
    """The trajectory is that of the doubled batch; the sample comes from what Omagen runs, which has one half only."""
    from omagen.diffusion.learned_variance import ancestral_samples
    from omagen.engines.omages.null2geo import guided

    config, given = fixture.config, tensors(fixture)
    assert config["clip_denoised"], config
    ours, scale = dit(config["model"], with_parameters(fixture)), config["cfg_scale"]
    steps = DiscreteSchedule.squared_cosine().respaced(config["respacing"])
    count = len(given["z"]) // 2
    doubled = ancestral_samples(
        steps,
        lambda x, t: ours.forward_with_cfg(x, given["y"], t, scale),
        given["z"],
        lambda step: given["noise"][step],
    )
    *_, sample = ancestral_samples(
        steps,
        guided(ours, given["y"][:count], scale),
        given["z"][:count],
        lambda step: given["noise"][step, :count],
    )
    return Outcome({
        "trajectory": (np.stack([array(state) for state in doubled]), SAMPLE),
        "sample": (array(sample), SAMPLE),
    })  # fmt: skip


def dit(config: Mapping[str, Any], source: Fixture) -> OmgDiT:
    from omagen.engines.omages.dit import DiTConfig, OmgDiT

    return loaded(OmgDiT(DiTConfig(**config)), source.params)


def loaded(module: Module, params: Mapping[str, np.ndarray]) -> Module:
    """For use, with exactly the parameters that are given."""
    import torch

    module.load_state_dict({key: torch.from_numpy(value) for key, value in params.items()}, strict=True)
    return module.eval().requires_grad_(False)


def tensors(fixture: Fixture) -> dict[str, Tensor]:
    import torch

    return {key: torch.from_numpy(value) for key, value in fixture.inputs.items()}


def array(tensor: Tensor) -> np.ndarray:
    return tensor.numpy()


def with_parameters(fixture: Fixture) -> Fixture:
    """The fixture, or the one beside it that its notes name, if that has the parameters."""
    if fixture.params:
        return fixture
    with safe_open(fixture.path, "np") as file:
        named = re.search(r"[\w-]+\.safetensors", file.metadata()["notes"])
    assert named, f"{fixture.path.name}: the notes name no file with parameters"
    return read_fixture(fixture.path.parent / named[0])
