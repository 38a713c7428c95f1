"""The loss of noise and variance. The published values are compared in tests/parity."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed (extra `networks`)")

from omagen.diffusion.schedule import DiscreteSchedule  # noqa: E402
from omagen.diffusion.variational_loss import variational_loss  # noqa: E402
from torch import Tensor  # noqa: E402

FULL = DiscreteSchedule.squared_cosine()
TIMES = [0, 1, 400, 999]


def drawn(seed: int) -> Tensor:
    return torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(seed))


def test_the_right_noise_and_the_least_variance_cost_nothing_after_the_first_step() -> None:
    noise = drawn(1)
    answer = torch.cat([noise, torch.full_like(noise, -1)], dim=1)
    loss = variational_loss(FULL, lambda x, t: answer, drawn(0).clamp(-1, 1), torch.tensor(TIMES), noise)
    assert torch.equal(loss.mse, torch.zeros(4))
    torch.testing.assert_close(loss.bound[1:], torch.zeros(3), rtol=0, atol=1e-3)
    assert 0 < float(loss.bound[0]) < 10


def test_the_bound_moves_the_variance_only() -> None:
    answer = torch.cat([drawn(2), drawn(3)], dim=1).requires_grad_()
    loss = variational_loss(FULL, lambda x, t: answer, drawn(0).clamp(-1, 1), torch.tensor(TIMES), drawn(1))
    (gradient,) = torch.autograd.grad(loss.bound.sum(), answer)
    noise, variance = gradient.chunk(2, dim=1)
    assert not noise.any()
    assert all(part.any() for part in variance)


def test_the_network_is_told_the_steps_of_the_process_it_was_trained_on() -> None:
    told: list[Tensor] = []

    def predict(x: Tensor, t: Tensor) -> Tensor:
        told.append(t)
        return torch.cat([x, x], dim=1)

    variational_loss(FULL.respaced("250"), predict, drawn(0), torch.tensor([0, 1, 2, 249]), drawn(1))
    assert told[0].tolist() == [0, 4, 8, 999]


def test_values_at_the_ends_of_the_range_count_as_open_bins() -> None:
    x0 = torch.ones(2, 1, 4, 4)
    x0[1] = -1
    beyond = torch.cat([-2 * x0, torch.zeros_like(x0)], dim=1)  # noise that pushes the mean outwards
    loss = variational_loss(FULL, lambda x, t: beyond, x0, torch.tensor([0, 0]), torch.zeros_like(x0))
    torch.testing.assert_close(loss.bound, torch.zeros(2), rtol=0, atol=0.05)
