"""The material network and sampling with it: published keys, what a request decides, errors."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
from omagen.engines.omages.unet_config import UNetConfig
from omagen.protocol import ErrorCode, OmagenError
from places import SHARED

torch = pytest.importorskip("torch", reason="torch is not installed (extra `networks`)")

from omagen.engines.omages.geo2mat import MaterialSampler, MaterialSettings, sample_materials  # noqa: E402 - of torch
from omagen.engines.omages.unet import UNet  # noqa: E402

KEYS = SHARED / "reference" / "omages" / "keys.json"
TINY = UNetConfig(
    dim=8,
    dim_mults=(1, 2),
    num_resnet_blocks=1,
    layer_attns=(False, True),
    layer_cross_attns=(False, True),
    attn_heads=2,
    attn_dim_head=8,
    text_embed_dim=10,
    max_text_len=4,
    attn_pool_num_latents=2,
)
FAST = MaterialSettings(MaterialSampler.ANCESTRAL, steps=6)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Threads that wait for one another take a hundred times as long as these little networks."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.skipif(not KEYS.is_file(), reason="the published keys are not on this machine")
def test_the_released_configuration_has_exactly_the_published_keys_and_shapes_in_their_order() -> None:
    published = json.loads(KEYS.read_text())
    config = UNetConfig.from_options(published["geo2mat_unet"]["config"])
    assert config == UNetConfig()
    with torch.device("meta"):
        network = UNet(config)
    assert {key: list(value.shape) for key, value in network.state_dict().items()} == published["geo2mat_unet"]["keys"]
    order = published["geo2mat_checkpoint_ema"]["shadow_params_order"]
    assert [key for key, _ in network.named_parameters()] == order
    assert sum(value.numel() for value in network.parameters()) == published["geo2mat_unet"]["num_parameters"]


def test_a_setting_that_the_network_does_not_know_is_refused_by_name() -> None:
    with pytest.raises(OmagenError, match="self_cond = True, something = 3") as caught:
        UNetConfig.from_options({"dim": 8, "self_cond": True, "something": 3, "memory_efficient": False})
    assert caught.value.code == ErrorCode.MODEL
    with pytest.raises(OmagenError, match="4 levels, but layer_attns has 2"):
        UNetConfig(layer_attns=(True, False))


def test_one_request_gives_one_result() -> None:
    first, again = made([7, 8]), made([7, 8])
    assert torch.equal(first, again)
    assert first.shape == (2, 5, 16, 16) and first.dtype == torch.float32
    assert first.abs().max() <= 1
    assert (first[0] - first[1]).abs().max() > 0.01


@pytest.mark.parametrize("sampler", MaterialSampler)
def test_an_item_is_the_same_alone_and_in_company(sampler: MaterialSampler) -> None:
    settings = replace(FAST, sampler=sampler)
    together = made([7, 8, 9], settings, items=(0, 1, 2))
    for place, seed in enumerate([7, 8, 9]):
        torch.testing.assert_close(made([seed], settings, items=(place,))[0], together[place], rtol=1e-3, atol=1e-4)


def test_geometry_class_and_guidance_change_the_material() -> None:
    plain = made([7])
    assert not torch.allclose(plain, made([7], items=(1,)), atol=1e-3)
    assert not torch.allclose(plain, made([7], classes=(1,)), atol=1e-3)
    guided = made([7], replace(FAST, guidance=3.0))
    assert not torch.allclose(plain, guided, atol=1e-3)
    unconditional = made([7], replace(FAST, guidance=0.0))
    torch.testing.assert_close(unconditional, made([7], replace(FAST, guidance=0.0), classes=(1,)))


def test_progress_is_told_before_every_step_and_can_stop_it() -> None:
    told: list[float] = []
    made([7], told=told)
    assert told == pytest.approx([0, 1 / 6, 2 / 6, 3 / 6, 4 / 6, 5 / 6])
    told.clear()
    with pytest.raises(OmagenError, match="enough"):
        made([7], told=told, stop_after=2)
    assert len(told) == 2


def test_guidance_is_one_batch() -> None:
    network, sizes = tiny(), []
    hook = network.final_conv.register_forward_hook(lambda _module, inputs, _output: sizes.append(len(inputs[0])))
    made([1, 2], replace(FAST, guidance=2.0), items=(0, 1))
    hook.remove()
    assert sizes == [4] * FAST.steps


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.bfloat16, 0.1), (torch.float64, 1e-4)])
def test_the_network_is_the_same_in_other_number_types(dtype: Any, tolerance: float) -> None:
    network = UNet(TINY)
    network.load_state_dict(tiny().state_dict())
    network.to(dtype)
    x, geometry = torch.randn(1, 9, 16, 16, generator=torch.Generator().manual_seed(5)).split([5, 4], dim=1)
    log_snr = torch.tensor([1.5])
    with torch.inference_mode():
        other = network(x, log_snr, geometry, vectors((0,))[:, None])
        plain = tiny()(x, log_snr, geometry, vectors((0,))[:, None])
    assert other.dtype == dtype
    torch.testing.assert_close(other.float(), plain, rtol=0, atol=tolerance * plain.abs().max().item())


def test_a_new_network_predicts_nothing_and_all_of_it_learns() -> None:
    torch.manual_seed(0)
    network = UNet(TINY)
    args = (torch.randn(2, 5, 16, 16), torch.tensor([-1.0, 1.0]), torch.randn(2, 4, 16, 16), vectors((0, 1))[:, None])
    assert network(*args).abs().max() == 0
    torch.nn.init.normal_(network.final_conv.weight)
    network(*args, torch.tensor([True, False])).square().sum().backward()
    assert [name for name, value in network.named_parameters() if value.grad is None] == []


@pytest.mark.parametrize(
    ("geometry", "width", "message"),
    [
        ((2, 4, 16, 16), 10, "does not fit 1 seeds"),
        ((1, 4, 15, 16), 10, "divide by 2"),
        ((1, 4, 16, 16), 9, "Class vec"),
    ],
)
def test_what_does_not_fit_is_an_input_error(geometry: Sequence[int], width: int, message: str) -> None:
    with pytest.raises(OmagenError, match=message) as caught:
        sample_materials(tiny(), torch.zeros(1, width), torch.zeros(geometry), [1], FAST, lambda stage, fraction: None)
    assert caught.value.code == ErrorCode.INPUT


@pytest.mark.parametrize("change", [{"steps": -1}, {"steps": 1001}, {"guidance": -1.0}, {"guidance": float("nan")}])
def test_settings_without_sense_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(OmagenError) as caught:
        made([7], replace(FAST, **change))
    assert caught.value.code == ErrorCode.INPUT


@pytest.mark.parametrize(("sampler", "steps"), [("ancestral", 1000), ("dpm++", 25)])
def test_without_a_number_the_sampler_takes_its_usual_steps(sampler: str, steps: int) -> None:
    with pytest.raises(OmagenError, match="enough"):
        made([7], MaterialSettings(MaterialSampler(sampler)), told=(told := []), stop_after=2)
    assert told[1] == pytest.approx(1 / steps)


def test_a_network_that_gives_no_numbers_is_a_model_error() -> None:
    network = UNet(TINY)
    torch.nn.init.constant_(network.final_conv.weight, float("nan"))
    with pytest.raises(OmagenError, match="not numbers") as caught:
        sample_materials(network, vectors((0,)), torch.zeros(1, 4, 16, 16), [1], FAST, lambda stage, fraction: None)
    assert caught.value.code == ErrorCode.MODEL


@cache
def tiny() -> UNet:
    """With random weights in all of it, the closing convolution included"""
    torch.manual_seed(0)
    network = UNet(TINY)
    torch.nn.init.normal_(network.final_conv.weight, std=0.1)
    return network.eval()


def vectors(classes: Sequence[int]) -> Any:
    """Rows of a class table of two"""
    return torch.randn(2, TINY.text_embed_dim, generator=torch.Generator().manual_seed(3))[list(classes)]


def made(
    seeds: Sequence[int],
    settings: MaterialSettings = FAST,
    items: Sequence[int] | None = None,
    classes: Sequence[int] | None = None,
    told: list[float] | None = None,
    stop_after: int | None = None,
) -> Any:
    """Materials by the tiny network for the geometries `items` of three, all of class 0 unless told otherwise"""

    def progress(stage: str, fraction: float) -> None:
        if told is not None:
            told.append(fraction)
            if len(told) == stop_after:
                raise OmagenError(ErrorCode.CANCELLED, "enough")

    items = range(len(seeds)) if items is None else items
    geometry = torch.rand(3, 4, 16, 16, generator=torch.Generator().manual_seed(4)) * 2 - 1
    rows = vectors(classes or [0] * len(seeds))
    return sample_materials(tiny(), rows, geometry[list(items)], seeds, settings, progress)
