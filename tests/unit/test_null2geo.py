"""Sampling of geometry omages by a small network with random weights, and the network's own conventions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed (extra `networks`)")
pytest.importorskip("diffusers", reason="diffusers is not installed (extra `networks`)")

from omagen.engines.omages.dit import DiTConfig, OmgDiT  # noqa: E402
from omagen.engines.omages.null2geo import (  # noqa: E402
    USUAL_STEPS,
    GeometrySampler,
    GeometrySettings,
    sample_geometry,
)
from omagen.protocol import ErrorCode, OmagenError  # noqa: E402
from torch import Tensor  # noqa: E402

TINY = DiTConfig(input_size=8, hidden_size=32, depth=2, num_heads=2, num_classes=5)


@pytest.fixture(autouse=True)
def two_threads() -> None:
    torch.set_num_threads(2)


@pytest.fixture
def network() -> OmgDiT:
    return random_network(TINY)


def random_network(config: DiTConfig) -> OmgDiT:
    """The usual start gives 0 whatever comes in."""
    made, generator = OmgDiT(config), torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, parameter in made.named_parameters():
            if name != "pos_embed":
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.1)
    return made.eval().requires_grad_(False)


def silent(stage: str, fraction: float) -> None:
    pass


def batches(network: OmgDiT) -> list[int]:
    """Of the evaluations from now on."""
    seen: list[int] = []
    network.register_forward_pre_hook(lambda module, given: seen.append(len(given[0])))
    return seen


def sampled(network: OmgDiT, labels: list[int], seeds: list[int], **settings: Any) -> Tensor:
    return sample_geometry(network, labels, seeds, GeometrySettings(**settings), silent)


@pytest.mark.parametrize("sampler", GeometrySampler)
def test_the_same_request_gives_the_same_omages_in_the_range_of_data(network: OmgDiT, sampler: GeometrySampler) -> None:
    first, again = (sampled(network, [1, 2], [7, 8], sampler=sampler, steps=12) for _ in range(2))
    assert first.shape == (2, 4, 8, 8)
    assert first.dtype == torch.float32
    assert float(first.abs().max()) <= 1 + 1e-6
    assert torch.equal(first, again)


@pytest.mark.parametrize("sampler", GeometrySampler)
def test_an_omage_does_not_depend_on_those_made_with_it(network: OmgDiT, sampler: GeometrySampler) -> None:
    alone = sampled(network, [2], [8], sampler=sampler, steps=12)
    among = sampled(network, [1, 2, 3], [7, 8, 9], sampler=sampler, steps=12)
    torch.testing.assert_close(among[1:2], alone, rtol=0, atol=1e-4)
    assert float((among[0] - among[1]).abs().max()) > 0.1


def test_seed_label_and_guidance_change_the_result(network: OmgDiT) -> None:
    plain = sampled(network, [1], [7], steps=6)
    for labels, seeds, more in (([2], [7], {}), ([1], [8], {}), ([1], [7], {"guidance": 1.5})):
        assert not torch.allclose(plain, sampled(network, labels, seeds, steps=6, **more), atol=1e-4)


def test_a_batch_is_one_run_and_the_fast_sampler_takes_a_fifth_of_the_evaluations(network: OmgDiT) -> None:
    seen = batches(network)
    sampled(network, [0, 1, 2, 3], [1, 2, 3, 4])
    assert set(seen) == {8}  # with and without category
    assert len(seen) <= USUAL_STEPS[GeometrySampler.ANCESTRAL] / 5


def test_without_guidance_only_the_category_is_evaluated_and_the_result_is_that_of_guidance_one(
    network: OmgDiT,
) -> None:
    seen = batches(network)
    plain = sampled(network, [1], [7], steps=6, guidance=1)
    nearly = sampled(network, [1], [7], steps=6, guidance=1 + 1e-7)
    assert seen == [1] * 6 + [2] * 6
    torch.testing.assert_close(plain, nearly, rtol=0, atol=1e-4)


def test_progress_is_told_before_every_step_and_cancels(network: OmgDiT) -> None:
    told: list[tuple[str, float]] = []

    def progress(stage: str, fraction: float) -> None:
        told.append((stage, fraction))
        if len(told) == 4:
            raise OmagenError(ErrorCode.CANCELLED, "Cancelled.")

    seen = batches(network)
    with pytest.raises(OmagenError, match="Cancelled"):
        sample_geometry(network, [1], [7], GeometrySettings(steps=10), progress)
    assert len(seen) == 3
    assert told[3] == ("Making geometry, step 4 of 10", 0.3)


def test_sampling_leaves_the_mode_of_the_network_as_it_was(network: OmgDiT) -> None:
    before = sampled(network, [1], [7], steps=3)
    network.train()
    assert torch.equal(sampled(network, [1], [7], steps=3), before)  # no label is dropped
    assert network.training


@pytest.mark.parametrize(
    ("labels", "seeds", "settings", "message"),
    [
        ([6], [1], {}, "no category 6"),
        ([-1], [1], {}, "no category -1"),
        ([], [], {}, "0 categories"),
        ([1, 2], [1], {}, "2 categories and 1 seeds"),
        ([1], [1], {"steps": 1001}, "1001 steps"),
        ([1], [1], {"steps": -1}, "-1 steps"),
    ],
)
def test_what_cannot_be_asked_for_is_an_error(
    network: OmgDiT, labels: list[int], seeds: list[int], settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(OmagenError, match=message) as error:
        sampled(network, labels, seeds, **settings)
    assert error.value.code is ErrorCode.INPUT


def test_values_that_are_not_numbers_are_an_error(network: OmgDiT) -> None:
    network.final_layer.linear.bias[0] = torch.nan
    with pytest.raises(OmagenError, match="not numbers") as error:
        sampled(network, [1], [7], steps=3)
    assert error.value.code is ErrorCode.MODEL


def test_half_precision_gives_nearly_the_same(network: OmgDiT) -> None:
    full = sampled(network, [1], [7], steps=6, guidance=1)
    half = sampled(network.to(torch.bfloat16), [1], [7], steps=6, guidance=1)
    assert half.dtype == torch.float32
    assert float((full - half).abs().mean()) < 0.05


def test_cross_attention_has_parameters_and_no_say(network: OmgDiT) -> None:
    before = sampled(network, [1], [7], steps=2)
    for name, parameter in network.named_parameters():
        if "cross_attn" in name:
            parameter.fill_(torch.nan)
    assert torch.equal(sampled(network, [1], [7], steps=2), before)


def test_training_drops_labels_and_use_does_not(network: OmgDiT) -> None:
    labels = torch.full((4000,), 2)
    embedder = network.y_embedder
    null = embedder.embedding_table.weight[network.null_class]

    def share() -> float:
        return float((embedder(labels) == null).all(dim=1).float().mean())

    assert share() == 0
    embedder.train()
    torch.manual_seed(0)
    assert share() == pytest.approx(TINY.class_dropout_prob, abs=0.02)


def test_a_new_network_predicts_nothing() -> None:
    made = OmgDiT(TINY)
    assert not made(torch.randn(2, 4, 8, 8), torch.tensor([0, 1]), torch.tensor([3, 999])).any()


def test_an_output_of_patches_is_ordered_by_row_column_and_channel() -> None:
    config = DiTConfig(input_size=6, patch_size=2, hidden_size=8, depth=1, num_heads=1)
    made = random_network(config)
    pixels = torch.arange(6 * 6 * 8).reshape(6, 6, 8)  # row, column, channel
    patches = torch.stack([
        pixels[2 * row : 2 * row + 2, 2 * column : 2 * column + 2].reshape(-1)
        for row in range(3)
        for column in range(3)
    ])  # fmt: skip
    hook: Callable[..., Tensor] = lambda module, given, result: patches[None].float()  # noqa: E731
    made.final_layer.register_forward_hook(hook)
    image = made(torch.zeros(1, 4, 6, 6), None, torch.tensor([0]))
    assert torch.equal(image[0], pixels.permute(2, 0, 1).float())


def test_a_network_with_an_image_as_condition_is_not_built() -> None:
    options: dict[str, Any] = {"condimg_channels": 4}
    with pytest.raises(ValueError, match="image as condition"):
        DiTConfig(**options)
