"""Diffusion in continuous time against what is known exactly: normally distributed data."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed (extra `networks`)")

from omagen.diffusion import continuous  # noqa: E402 - of torch
from omagen.diffusion.continuous_samplers import ancestral_steps, multistep_steps  # noqa: E402

SPREAD = 0.1
"""Standard deviation of the data: small enough for the threshold never to touch it"""


def test_alpha_and_sigma_follow_the_cosine() -> None:
    time = torch.linspace(0.05, 0.95, 19, dtype=torch.float64)
    alpha, sigma = continuous.alpha_sigma(continuous.log_snr(time))
    angle = (time + 0.008) / 1.008 * math.pi / 2
    torch.testing.assert_close(alpha, angle.cos())
    torch.testing.assert_close(sigma, angle.sin())


def test_a_schedule_runs_from_noise_to_data() -> None:
    values = continuous.log_snrs(50)
    assert len(values) == 51
    assert (values.diff() > 0).all()
    assert values[0] < -30 and 8 < values[-1] < 9


def test_v_gives_the_data_back() -> None:
    x0, noise = torch.randn(2, 3, 5, 4, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    log_snr = torch.tensor([-3.0, 0.0, 4.0], dtype=torch.float64)
    x = continuous.add_noise(x0, noise, log_snr)
    v = continuous.v_target(x0, noise, log_snr)
    torch.testing.assert_close(continuous.x0_from_v(x, v, log_snr), x0)


def test_the_posterior_keeps_the_distribution_of_noisy_data() -> None:
    """A step from x of known data: mean and variance of the result are those of the data with less noise."""
    here, there = torch.tensor([-1.0], dtype=torch.float64), torch.tensor([2.0], dtype=torch.float64)
    data = torch.full((1, 1), 0.7, dtype=torch.float64)
    alpha, sigma = continuous.alpha_sigma(here)
    mean_at = [continuous.posterior(data, x, here, there)[0].item() for x in (alpha * data, alpha * data + sigma)]
    _, variance, log_variance = continuous.posterior(data, alpha * data, here, there)
    alpha_next, sigma_next = continuous.alpha_sigma(there)
    assert mean_at[0] == pytest.approx((alpha_next * 0.7).item())
    assert variance.item() + (mean_at[1] - mean_at[0]) ** 2 == pytest.approx(sigma_next.item() ** 2)
    assert log_variance.item() == pytest.approx(math.log(variance.item()))


def test_a_threshold_leaves_small_values_and_scales_large_ones_sample_by_sample() -> None:
    small = torch.linspace(-0.9, 0.9, 100).reshape(1, 4, 25)
    both = torch.cat([small, small * 10])
    limited = continuous.dynamic_threshold(both, 0.5)
    torch.testing.assert_close(limited[0], small[0])
    limit = torch.quantile(small.abs(), 0.5)
    torch.testing.assert_close(limited[1], (small[0] / limit).clamp(-1, 1))


def test_the_weight_of_the_loss_is_that_of_a_clipped_ratio() -> None:
    log_snr = torch.tensor([0.0, math.log(5.0), math.log(99.0)])
    torch.testing.assert_close(continuous.min_snr_weight(log_snr), torch.tensor([1 / 2, 5 / 6, 5 / 100]))
    target = torch.zeros(3, 2, 2)
    torch.testing.assert_close(
        continuous.v_loss(target + 2, target, log_snr), torch.tensor([4 / 2, 4 * 5 / 6, 4 * 5 / 100])
    )


@pytest.mark.parametrize(("sampler", "steps"), [(ancestral_steps, 500), (multistep_steps, 60)])
def test_samples_of_normal_data_have_its_spread(sampler: Callable[..., Any], steps: int) -> None:
    generator = torch.Generator().manual_seed(1)
    *_, last = sampler(exact_v, lambda: torch.randn(4, 5000, generator=generator), steps)
    assert last.number == steps
    assert last.x.std().item() == pytest.approx(SPREAD, rel=0.05)
    assert abs(last.x.mean().item()) < 0.02 * SPREAD


def test_the_fast_sampler_is_of_second_order() -> None:
    """Of normal data, the flow from noise to data is known: it scales by the ratio of spreads. Then noise comes off."""
    generator = torch.Generator().manual_seed(2)
    start = torch.randn(1, 256, generator=generator, dtype=torch.float64)
    alpha, sigma = continuous.alpha_sigma(torch.tensor([-10.2, continuous.log_snrs(1)[-1]], dtype=torch.float64))
    spread = ((alpha * SPREAD) ** 2 + sigma**2).sqrt()
    exact = start * (spread[1] / spread[0]) * (alpha[1] * SPREAD**2 / spread[1] ** 2)
    errors = []
    for steps in (41, 81, 161):
        *_, last = multistep_steps(exact_v, lambda: start, steps)
        errors.append((last.x - exact).norm().item() / exact.norm().item())
    assert errors[0] < 0.01
    assert errors[1] < errors[0] / 3
    assert errors[2] < errors[1] / 3


def test_the_ancestral_sampler_draws_noise_in_the_published_order() -> None:
    draws: list[int] = []

    def draw() -> Any:
        draws.append(len(draws))
        return torch.zeros(1, 3) if len(draws) < 6 else torch.full((1, 3), torch.nan)

    *_, last = ancestral_steps(exact_v, draw, 5)
    assert len(draws) == 6  # the start and every step
    assert torch.isfinite(last.x).all()  # nothing comes of the last one


def exact_v(x: Any, log_snr: Any) -> Any:
    """What a perfect network says where all data is normal with spread `SPREAD` around 0."""
    alpha, sigma = continuous.alpha_sigma(continuous.beside(log_snr.double(), x))
    x0 = alpha * SPREAD**2 / ((alpha * SPREAD) ** 2 + sigma**2) * x
    return (alpha * x - x0) / sigma


def test_few_fast_steps_sample_a_mixture_as_many_ancestral_ones_do() -> None:
    """Where the usual numbers of steps of materials come from: the spread around eight centres, and their shares."""
    spreads, shares = zip(*(mixture(*case) for case in CASES), strict=True)
    fast, published, short = (abs(spread - 0.05) / 0.05 for spread in spreads)
    assert fast < 0.05 and published < 0.05
    assert short > 0.2  # of the ancestral sampler in twice the fast one's steps
    assert max(share.max().item() for share in shares) < 0.03


CASES = ((multistep_steps, 25), (ancestral_steps, 1000), (ancestral_steps, 50))


def mixture(sampler: Callable[..., Any], steps: int) -> tuple[float, Any]:
    """The spread of samples of a mixture around their nearest centres, and how far the centres' shares are off"""
    generator = torch.Generator().manual_seed(6)
    centres = torch.rand(8, 16, generator=generator) * 1.6 - 0.8

    def predict(x: Any, log_snr: Any) -> Any:
        alpha, sigma = continuous.alpha_sigma(log_snr[0])
        variance = (alpha * 0.05) ** 2 + sigma**2
        weight = (-(torch.cdist(x, alpha * centres) ** 2) / (2 * variance)).softmax(dim=1)
        mean = weight @ centres
        x0 = mean + alpha * 0.05**2 / variance * (x - alpha * mean)
        return (alpha * x - x0) / sigma

    *_, last = sampler(predict, lambda: torch.randn(3000, 16, generator=generator), steps)
    nearest = torch.cdist(last.x, centres).argmin(dim=1)
    off = (torch.bincount(nearest, minlength=8) / len(nearest) - 1 / 8).abs()
    return (last.x - centres[nearest]).std().item(), off
