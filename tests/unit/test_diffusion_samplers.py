"""Samplers on data whose exact noise prediction is known: independent values of one normal distribution."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed (extra `networks`)")
pytest.importorskip("diffusers", reason="diffusers is not installed (extra `networks`)")

from diffusers.schedulers.scheduling_ddim import DDIMScheduler  # noqa: E402
from omagen.diffusion.fast_samplers import ddim_samples, dpm_samples, log_snr_timesteps  # noqa: E402
from omagen.diffusion.learned_variance import ancestral_samples, predicted_x0, q_sample  # noqa: E402
from omagen.diffusion.schedule import DiscreteSchedule  # noqa: E402
from torch import Tensor  # noqa: E402

FULL = DiscreteSchedule.squared_cosine()
MEAN, SPREAD = 0.2, 0.1


@pytest.fixture(autouse=True)
def two_threads() -> None:
    torch.set_num_threads(2)


def exact(x: Tensor, t: Tensor) -> Tensor:
    """The expected noise in `x`, and the middle of the variances."""
    alpha_bar = torch.from_numpy(FULL.alphas_cumprod)[t].reshape(-1, 1, 1, 1)
    scale, power = alpha_bar.sqrt(), alpha_bar * SPREAD**2 + 1 - alpha_bar
    x0 = MEAN + scale * SPREAD**2 / power * (x.double() - scale * MEAN)
    noise = (x - scale * x0) / (1 - alpha_bar).sqrt()
    return torch.cat([noise, torch.zeros_like(noise)], dim=1).float()


def careless(x: Tensor, t: Tensor) -> Tensor:
    """A prediction whose x_0 leaves [-1, 1], with a variance."""
    wave = torch.sin(3 * x + t.reshape(-1, 1, 1, 1) / 100)
    return torch.cat([wave, -wave], dim=1)


def noise(seed: int = 0, side: int = 32) -> Tensor:
    return torch.randn(4, 2, side, side, generator=torch.Generator().manual_seed(seed))


def last(states: Iterator[Tensor]) -> Tensor:
    *_, state = states
    return state


def ideal(start: Tensor) -> Tensor:
    """Where the flow without noise takes `start`: distances from the mean shrink by the ratio of spreads."""
    alpha_bar = FULL.alphas_cumprod[-1]
    spread = np.sqrt(alpha_bar * SPREAD**2 + 1 - alpha_bar)
    return MEAN + SPREAD / spread * (start - np.sqrt(alpha_bar) * MEAN)


def test_ancestral_sampling_gives_the_distribution() -> None:
    generator = torch.Generator().manual_seed(1)
    start = noise()
    sample = last(
        ancestral_samples(FULL.respaced("100"), exact, start, lambda _: torch.randn(start.shape, generator=generator))
    )
    assert float(sample.mean()) == pytest.approx(MEAN, abs=5 * SPREAD / np.sqrt(start.numel()))
    assert float(sample.std()) == pytest.approx(SPREAD, rel=0.06)


def test_ancestral_sampling_takes_noise_at_every_step_and_uses_all_but_the_last() -> None:
    taken: list[int] = []

    def fresh(step: int) -> Tensor:
        taken.append(step)
        return noise(step) if step < 4 else torch.full_like(noise(), torch.nan)

    sample = last(ancestral_samples(FULL.respaced("5"), careless, noise(9), fresh))
    assert taken == [0, 1, 2, 3, 4]
    assert float(sample.abs().max()) <= 1


def test_few_steps_even_in_signal_to_noise_are_more_exact_than_twice_as_many_of_ddim() -> None:
    start = noise()
    wanted = ideal(start)
    ddim = last(ddim_samples(FULL.respaced("50"), exact, start)) - wanted
    dpm = last(dpm_samples(FULL, exact, start, log_snr_timesteps(FULL, 25))) - wanted
    assert float(ddim.abs().mean()) < 0.1 * SPREAD
    assert float(dpm.abs().mean()) < 0.02 * SPREAD
    assert float(dpm.abs().mean()) < 0.25 * float(ddim.abs().mean())


@pytest.mark.parametrize("name", ["ddim", "dpm"])
def test_more_steps_come_nearer_to_the_flow(name: str) -> None:
    start, errors = noise(side=16), []
    for steps in (20, 80):
        states = (
            ddim_samples(FULL.respaced(str(steps)), exact, start)
            if name == "ddim"
            else dpm_samples(FULL, exact, start, log_snr_timesteps(FULL, steps))
        )
        errors.append(float((last(states) - ideal(start)).abs().mean()))
    assert errors[0] > 2 * errors[1]


def test_ddim_is_what_diffusers_makes_of_the_same_noise() -> None:
    theirs = DDIMScheduler(1000, beta_schedule="squaredcos_cap_v2", prediction_type="epsilon", clip_sample=True)
    theirs.set_timesteps(50)
    states = ddim_samples(FULL.respaced("ddim50"), careless, noise())
    x = noise()
    for step, state in zip(theirs.timesteps, states, strict=True):
        epsilon = careless(x, step.expand(len(x)))[:, :2]
        x = theirs.step(epsilon, int(step), x, use_clipped_model_output=True, return_dict=False)[0]
        torch.testing.assert_close(state, x, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("rule", ["10", "7,3", "ddim50", "1"])
def test_ddim_follows_our_tables_for_every_spacing(rule: str) -> None:
    spaced = FULL.respaced(rule)
    x = noise().double()
    states = ddim_samples(spaced, careless, noise())
    for step in reversed(range(len(spaced))):
        alpha_bar, before = spaced.alphas_cumprod[step], spaced.alphas_cumprod_prev[step]
        name = torch.full((len(x),), int(spaced.timestep_map[step]))
        epsilon = careless(x.float(), name)[:, :2].double()
        x0 = ((x - np.sqrt(1 - alpha_bar) * epsilon) / np.sqrt(alpha_bar)).clamp(-1, 1)
        again = (x - np.sqrt(alpha_bar) * x0) / np.sqrt(1 - alpha_bar)
        x = np.sqrt(before) * x0 + np.sqrt(1 - before) * again
        torch.testing.assert_close(next(states), x.float(), rtol=1e-5, atol=5e-5)


def test_fast_samples_stay_in_the_range_of_data() -> None:
    for states in (
        ddim_samples(FULL.respaced("12"), careless, noise()),
        dpm_samples(FULL, careless, noise(), log_snr_timesteps(FULL, 12)),
    ):
        assert float(last(states).abs().max()) <= 1 + 1e-6


@pytest.mark.parametrize("steps", [1, 2, 25, 50, 1000])
def test_steps_even_in_signal_to_noise_descend_to_the_first(steps: int) -> None:
    chosen = log_snr_timesteps(FULL, steps)
    assert 1 <= len(chosen) <= steps
    assert (np.diff(chosen) < 0).all()
    if steps > 1:
        assert chosen[-1] == 0
    assert 990 <= chosen[0] <= 999


def test_noise_that_was_added_is_taken_off_again() -> None:
    x0, added = noise(1).clamp(-1, 1), noise(2)
    t = torch.tensor([0, 200, 500, 900])
    x = q_sample(FULL, x0, t, added)
    torch.testing.assert_close(predicted_x0(FULL, x, t, added), x0, rtol=1e-4, atol=1e-4)
