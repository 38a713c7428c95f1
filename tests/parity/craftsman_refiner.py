"""Adapter of continuous remeshing, which CraftsMan's refiner uses. Tolerances are the fixtures' own."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
from omagen.refine import edge_length_optimizer as optimizer
from omagen.refine.edge_operations import collapse, edge_lengths, edges_of, flip, split, vertex_normals
from parity.fixtures import Fixture
from parity.registry import EXACT, Outcome, Tolerance, adapter

FINE = Tolerance(1e-5, 1e-5)


@adapter("craftsman", "continuous remeshing primitives (Profactor/continuous-remeshing)")
def remeshing(fixture: Fixture) -> Outcome:
    config, published = fixture.config, fixture.outputs
    values = fixture.inputs["vertices"].astype(np.float64)
    faces = fixture.inputs["faces"].astype(np.int64)
    edges = edges_of(faces)
    lengths = edge_lengths(values, edges.ends)
    split_values, split_faces = split(values, faces, edges, lengths > config["split_threshold"])
    priority = np.maximum(0, 1 - lengths / config["collapse_min_len"])
    fewer, collapsed = collapse(values, faces, edges, priority)
    flipped = flip(fewer, collapsed, edges_of(collapsed))
    states = _optimized(values, faces, fixture.inputs["grads"], config["optimizer"])
    return Outcome({
        "edges": (edges.ends, EXACT),
        "edge_length": (lengths, FINE),
        "vertex_normals": (vertex_normals(values, faces), FINE),
        "split_vertices": (split_values, FINE),
        "split_faces": (_in_order_of(split_faces, published["split_faces"]), EXACT),
        "collapse_vertices": (fewer, FINE),
        "collapse_faces": (_in_order_of(collapsed, published["collapse_faces"]), EXACT),
        "flip_faces": (_in_order_of(flipped, published["flip_faces"]), EXACT),
        "optimizer_vertices": (states[..., optimizer.PLACE], FINE),
        "optimizer_nu": (states[..., optimizer.SPEED], FINE),
        "optimizer_ref_len": (states[..., optimizer.LENGTH], FINE),
    })  # fmt: skip


def _optimized(values: np.ndarray, faces: np.ndarray, grads: np.ndarray, config: dict) -> np.ndarray:
    known = {field.name for field in fields(optimizer.OptimizerSettings)}
    assert config.keys() <= known, f"unknown settings: {config.keys() - known}"
    settings = optimizer.OptimizerSettings(**config)
    state, states = optimizer.begin(values, settings), []
    for number, gradient in enumerate(grads.astype(np.float64), 1):
        state = optimizer.step(state, faces, gradient, number, settings)
        states.append(state)
    return np.stack(states)


def _in_order_of(ours: np.ndarray, published: np.ndarray) -> np.ndarray:
    """`ours` in the order and rotation of `published` where both are the same set of faces; else as they are."""
    if ours.shape != published.shape:
        return ours
    mine, theirs = (np.lexsort(_turned(faces).T[::-1]) for faces in (ours, published))
    if not np.array_equal(_turned(ours)[mine], _turned(published)[theirs]):
        return ours
    return published.astype(ours.dtype)


def _turned(faces: np.ndarray) -> np.ndarray:
    """Each face beginning with its lowest vertex"""
    start = np.argmin(faces, axis=1)[:, None]
    return np.take_along_axis(faces, (start + np.arange(3)) % 3, axis=1)
