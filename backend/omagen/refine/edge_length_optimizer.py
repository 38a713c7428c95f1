"""Gradient steps whose size, and the edge length that goes with it, every vertex finds for itself (Palfinger 2022)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from omagen.refine.edge_operations import edges_of

PLACE, FIRST, SECOND, SPEED, LENGTH = slice(0, 3), slice(3, 6), 6, 7, 8
STATE: int = 9
"""Columns of a vertex: place, first and second moment, relative speed, wanted edge length; more may follow"""


@dataclass(frozen=True)
class OptimizerSettings:
    """Published values; lengths are for objects of about unit size."""

    lr: float = 0.3
    betas: tuple[float, float, float] = (0.8, 0.8, 0.0)
    nu_ref: float = 0.3
    edge_len_lims: tuple[float, float] = (0.01, 0.15)
    edge_len_tol: float = 0.5
    gain: float = 0.2
    laplacian_weight: float = 0.02
    ramp: float = 1
    grad_lim: float = 10.0
    local_edgelen: bool = True


def begin(places: np.ndarray, settings: OptimizerSettings) -> np.ndarray:
    """(V, 9) float64 of vertices at `places` (V, 3) that have not moved yet"""
    state = np.zeros((len(places), STATE))
    state[:, PLACE], state[:, LENGTH] = places, settings.edge_len_lims[1]
    return state


def step(
    state: np.ndarray, faces: np.ndarray, gradient: np.ndarray, number: int, settings: OptimizerSettings
) -> np.ndarray:
    """`state` (V, 9 or more) after step `number`, from 1, down the `gradient` (V, 3)."""
    ends = edges_of(faces).ends
    state, count = state.copy(), len(state)
    both = np.concatenate([ends, ends[:, ::-1]])
    degree = np.maximum(np.bincount(both[:, 0], minlength=count), 1)[:, None]
    mean = np.stack([np.bincount(both[:, 0], state[both[:, 1], k], count) for k in range(3)], axis=1) / degree
    g = gradient + settings.laplacian_weight * state[:, SPEED, None] * (state[:, PLACE] - mean)
    if number > 1:
        limit = settings.grad_lim * np.abs(state[:, FIRST])
        g = g.clip(-limit, limit)
    state[:, FIRST] = _lerp(state[:, FIRST], g, settings.betas[0], number)
    state[:, SECOND] = _lerp(state[:, SECOND], (g * g).sum(1), settings.betas[1], number)
    velocity = state[:, FIRST] / (np.sqrt(state[:, SECOND]) + 1e-8)[:, None]
    speed = np.linalg.norm(velocity, axis=1)
    state[:, SPEED] = _lerp(state[:, SPEED], speed, settings.betas[2], number)
    rate = settings.lr * min(1.0, number * (1 - settings.betas[0]) / settings.ramp)
    state[:, PLACE] -= rate * state[:, LENGTH, None] * velocity
    nu = state[:, SPEED] if settings.local_edgelen else state[:, SPEED].mean()
    length = state[:, LENGTH] * (1 + (nu - settings.nu_ref) * settings.gain)
    state[:, LENGTH] = length.clip(*settings.edge_len_lims)
    return state


def _lerp(old: np.ndarray, new: np.ndarray, beta: float, number: int) -> np.ndarray:
    """An average that forgets, without the bias of its beginning"""
    whole = 1 - beta**number
    return old * (beta * (1 - beta ** (number - 1)) / whole) + new * ((1 - beta) / whole)
