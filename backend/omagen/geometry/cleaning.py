"""Light repairs that never change the look of a surface: joined vertices, no broken faces, nothing unused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from omagen.geometry.distinct import distinct_rows
from omagen.geometry.quality import is_degenerate
from omagen.shapes import Mesh


def keep_faces(mesh: Mesh, kept: np.ndarray) -> Mesh:
    """`mesh` with only the faces that `kept` (F,), a mask or indices, selects; the vertices stay."""
    of_faces = {name: getattr(mesh, name) for name in ("uv", "second_uv", "normals", "material_index", "patches")}
    quads = None if mesh.quads is None else _quads_left(mesh.quads, len(mesh.faces), kept)
    changes = {name: a[kept] for name, a in of_faces.items() if a is not None}
    return replace(mesh, faces=mesh.faces[kept], quads=quads, **changes)


def _quads_left(quads: np.ndarray, faces: int, kept: np.ndarray) -> np.ndarray:
    """Those of which both halves are among the `kept` faces, one after the other."""
    of_face = np.arange(faces)[kept]
    begins = np.isin(of_face[:-1], quads) & (of_face[1:] == of_face[:-1] + 1)
    return np.flatnonzero(begins).astype(np.int32)


def weld_vertices(mesh: Mesh) -> Mesh:
    """`mesh` with all vertices joined that have exactly the same place and colour. What corners carry stays."""
    table = mesh.vertices if mesh.colors is None else np.hstack([mesh.vertices, mesh.colors])
    first, inverse = distinct_rows(table)
    return _renumbered(mesh, first, inverse.astype(np.int32))


def join_places(mesh: Mesh) -> Mesh:
    """`mesh` with all vertices joined that are at exactly the same place, whatever their colours."""
    first, inverse = distinct_rows(mesh.vertices)
    per_vertex = {name: a[first] for name in ("colors", "region") if (a := getattr(mesh, name)) is not None}
    faces = inverse.astype(np.int32)[mesh.faces]
    return replace(mesh, vertices=mesh.vertices[first], faces=faces, numbered=False, **per_vertex)


def drop_degenerate_faces(mesh: Mesh) -> Mesh:
    """`mesh` without faces that have no area (see `quality.is_degenerate`)."""
    return keep_faces(mesh, ~is_degenerate(mesh.vertices, mesh.faces))


def drop_duplicate_faces(mesh: Mesh) -> Mesh:
    """`mesh` with each face once. Faces over the same vertices that look the other way are another side, and stay."""
    start = np.argmin(mesh.faces, axis=1)[:, None]
    turned = np.take_along_axis(mesh.faces, (start + np.arange(3)) % 3, axis=1)
    return keep_faces(mesh, distinct_rows(turned)[0])


def drop_unused_vertices(mesh: Mesh) -> Mesh:
    """`mesh` without vertices that no face uses; the others keep their order."""
    is_used = np.zeros(len(mesh.vertices), bool)
    is_used[mesh.faces] = True
    if is_used.all():
        return mesh
    return _renumbered(mesh, np.flatnonzero(is_used), np.cumsum(is_used, dtype=np.int32) - np.int32(1))


def _renumbered(mesh: Mesh, kept: np.ndarray, number: np.ndarray) -> Mesh:
    """`mesh` with the vertices `kept` (N,) only; `number` (V,) int32 says which of them each vertex becomes."""
    colors, region = (None if a is None else a[kept] for a in (mesh.colors, mesh.region))
    numbered = mesh.numbered and len(kept) == len(mesh.vertices)
    return replace(
        mesh,
        vertices=mesh.vertices[kept],
        faces=number[mesh.faces],
        colors=colors,
        region=region,
        numbered=numbered and bool((kept == np.arange(len(kept))).all()),
    )
