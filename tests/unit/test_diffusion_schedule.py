"""Schedules of noise and the steps that samplers visit. The published tables are compared in tests/parity."""

from __future__ import annotations

import numpy as np
import pytest
from omagen.diffusion.schedule import DiscreteSchedule, spaced_timesteps

FULL = DiscreteSchedule.squared_cosine()


def test_sections_differ_by_one_step_and_give_what_is_asked_of_them() -> None:
    chosen = spaced_timesteps(10, "2,1,3")  # sections 0-3, 4-6, 7-9
    np.testing.assert_array_equal(chosen, [0, 3, 4, 7, 8, 9])


def test_halves_are_rounded_to_even() -> None:
    np.testing.assert_array_equal(spaced_timesteps(6, "3"), [0, 2, 5])


def test_a_stride_gives_as_many_steps_as_asked_or_is_an_error() -> None:
    np.testing.assert_array_equal(spaced_timesteps(1000, "ddim4"), [0, 250, 500, 750])
    with pytest.raises(ValueError, match="no stride gives 999"):
        spaced_timesteps(1000, "ddim999")


@pytest.mark.parametrize("rule", ["0", "1001", "600,300", "400,601"])
def test_a_section_that_is_too_short_is_an_error(rule: str) -> None:
    with pytest.raises(ValueError, match="cannot give"):
        spaced_timesteps(1000, rule)


@pytest.mark.parametrize("rule", ["1", "7", "250", "10,20,5", "ddim50"])
def test_respacing_keeps_the_noise_of_the_steps_that_stay(rule: str) -> None:
    spaced = FULL.respaced(rule)
    np.testing.assert_allclose(spaced.alphas_cumprod, FULL.alphas_cumprod[spaced.timestep_map], rtol=1e-8)
    assert np.isfinite(spaced.posterior_log_variance_clipped).all()


def test_a_process_respaced_twice_names_the_steps_of_the_first() -> None:
    np.testing.assert_array_equal(FULL.respaced("250").respaced("3").timestep_map, [0, 497, 999])


def test_the_posterior_has_the_moments_of_bayes_rule() -> None:
    step, x0, x = 400, 0.3, -0.7
    before, beta = FULL.alphas_cumprod[step - 1], FULL.betas[step]
    grid = np.linspace(-6, 6, 200_001)
    weight = np.exp(
        -0.5 * (grid - np.sqrt(before) * x0) ** 2 / (1 - before) - 0.5 * (x - np.sqrt(1 - beta) * grid) ** 2 / beta
    )
    mean = np.average(grid, weights=weight)
    assert FULL.posterior_mean_coef1[step] * x0 + FULL.posterior_mean_coef2[step] * x == pytest.approx(mean, abs=1e-6)
    variance = np.average((grid - mean) ** 2, weights=weight)
    assert FULL.posterior_variance[step] == pytest.approx(variance, rel=1e-4)
