"""The charts of a decoded omage as things that users select: vertex groups or face sets."""

from __future__ import annotations

from typing import Final

import bpy
import numpy as np

from .glb import ObjectArrays
from .patches import members

GROUP: Final = "Patch "
FACE_SETS: Final = ".sculpt_face_set"


def write_face_sets(mesh: bpy.types.Mesh, patches: np.ndarray) -> None:
    """`patches` (F,) int32 from 0."""
    attribute = mesh.attributes.get(FACE_SETS) or mesh.attributes.new(FACE_SETS, "INT", "FACE")
    attribute.data.foreach_set("value", patches + np.int32(1))


def write_vertex_groups(obj: bpy.types.Object, arrays: ObjectArrays) -> None:
    """One group per patch, in place of those of an earlier decoding."""
    clear_vertex_groups(obj)
    for number, vertices in enumerate(members(arrays), 1):
        obj.vertex_groups.new(name=f"{GROUP}{number:03d}").add(vertices.tolist(), 1.0, "REPLACE")


def clear_vertex_groups(obj: bpy.types.Object) -> None:
    for group in [group for group in obj.vertex_groups if group.name.startswith(GROUP)]:
        obj.vertex_groups.remove(group)
