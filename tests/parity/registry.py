"""Which of our functions stands for which published one: adapters, looked up by a fixture's system and network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from parity.fixtures import Fixture


@dataclass(frozen=True)
class Tolerance:
    """|ours - published| <= absolute + relative * |published|; both 0 = equal."""

    relative: float = 0.0
    absolute: float = 0.0


EXACT = Tolerance()


@dataclass(frozen=True)
class Outcome:
    """What our code makes of a fixture's inputs. Every output of the fixture is in one of the two."""

    compared: dict[str, tuple[np.ndarray, Tolerance]]
    no_criterion: dict[str, str] = field(default_factory=dict)
    """Name of an output -> why it is not compared, from the fixtures' own description."""


Adapter = Callable[[Fixture], Outcome]
ADAPTERS: dict[tuple[str, str], Adapter] = {}

_OMAGES_NETWORKS = frozenset({
    "Attention", "CrossAttention", "CrossEmbedLayer", "DiTBlock", "FeedForward", "GaussianDiffusionContinuousTimes",
    "Imagen.p_losses", "Imagen.sample", "LearnedSinusoidalPosEmb", "OmgDiT", "PerceiverResampler",
    "PixelShuffleUpsample", "ResnetBlock", "Sequential", "SpacedDiffusion", "SpacedDiffusion.training_losses",
    "TimestepEmbedder", "TransformerBlock", "Unet", "fpd_eval", "get_2d_sincos_pos_embed", "p_sample_loop",
})  # fmt: skip


def adapter(system: str, network: str) -> Callable[[Adapter], Adapter]:
    """Register a function as the adapter of a system's network."""

    def register(function: Adapter) -> Adapter:
        ADAPTERS[system, network] = function
        return function

    return register


def subject(system: str, network: str) -> str:
    """What is begun as a whole: a system, or one of the two halves of omages. Unknown parts of omages are its codec.

    Remeshing stands beside CraftsMan's networks: no code of the refiner was published with them.
    """
    if (system, network.split()[0]) == ("craftsman", "continuous"):
        return "craftsman refiner"
    if system != "omages":
        return system
    return "omages networks" if network in _OMAGES_NETWORKS else "omages codec"


def is_begun(name: str) -> bool:
    """Whether anything of the subject `name` has an adapter; from then on all of its fixtures need one."""
    return any(subject(*key) == name for key in ADAPTERS)


def check(fixture: Fixture) -> None:
    """Compare our outcome with the fixture; raises `AssertionError` naming what differs or is missing."""
    function = ADAPTERS.get((fixture.system, fixture.network))
    assert function, f"{fixture.path.name}: no adapter for {fixture.system} / {fixture.network}"
    outcome = function(fixture)
    left = fixture.outputs.keys() - outcome.compared.keys() - outcome.no_criterion.keys()
    assert not left, f"{fixture.path.name}: nothing was compared with {', '.join(sorted(left))}"
    for name, (ours, tolerance) in outcome.compared.items():
        published = fixture.outputs[name]
        assert ours.shape == published.shape, f"{name}: {ours.shape}, published {published.shape}"
        np.testing.assert_allclose(
            ours, published, tolerance.relative, tolerance.absolute, err_msg=f"{fixture.path.name}: {name}"
        )
