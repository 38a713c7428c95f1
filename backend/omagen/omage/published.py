"""Mesh to omage and back by the published rules, in today's shapes: for comparison with published data and results."""

from __future__ import annotations

from typing import Any

import numpy as np

from omagen.omage.frame import normalise_vertices, restore_vertices
from omagen.omage.materials import material_of
from omagen.omage.reference_decode import reference_decode
from omagen.omage.reference_encode import reference_encode
from omagen.shapes import Mesh, Omage

_STEPS = 65535


def encode_as_published(mesh: Mesh, resolution: int) -> tuple[Omage, dict[str, Any]]:
    """What `reference_encode` makes of `mesh`, truncated to 16 bits as published; and its counts of patches.

    Raises `OmagenError` (geometry) where the published encoder cannot work, e.g. without UVs.
    """
    planes, counts = reference_encode(mesh, resolution)
    unit = (np.floor(planes * _STEPS) / _STEPS).astype(np.float32)
    _, centre, scale = normalise_vertices(mesh.vertices)
    omage = Omage(
        position=unit[..., :3] * 2 - 1,
        occupancy=unit[..., 3] >= 0.5,
        normal=unit[..., 4:7] * 2 - 1,
        albedo=np.ascontiguousarray(unit[..., 7:10]),
        metalness=np.ascontiguousarray(unit[..., 10]),
        roughness=np.ascontiguousarray(unit[..., 11]),
        centre=centre,
        scale=scale,
        name=mesh.name,
    )
    return omage, counts


def decode_as_published(omage: Omage) -> tuple[Mesh, dict[str, Any]]:
    """The triangles and texture coordinates of `reference_decode`, with our textures on them; and their number."""
    planes = [omage.position * 0.5 + 0.5, omage.occupancy[..., None]]
    if omage.normal is not None:
        planes.append(omage.normal * 0.5 + 0.5)
    found = reference_decode(np.concatenate(planes, axis=-1), use_normals=omage.normal is not None)
    faces = found.faces.astype(np.int32)
    mesh = Mesh(
        vertices=restore_vertices(found.vertices, omage.centre, omage.scale),
        faces=faces,
        uv=found.uv.astype(np.float32)[faces],
        materials=(material_of(omage),),
        name=omage.name,
    )
    return mesh, {"triangles": len(faces), "vertices": len(found.vertices)}
