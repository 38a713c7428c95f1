"""Vertex groups of the user's mesh on the decoded one, so that an armature goes on moving the object."""

from __future__ import annotations

import bpy


def carry_over(source: bpy.types.Mesh, obj: bpy.types.Object) -> None:
    """Give `obj` the groups of `source`; each vertex the weights of the nearest point of `source`, in its own frame."""
    giver = bpy.data.objects.new("omagen", source)
    try:
        if not giver.vertex_groups:
            return
        bpy.context.scene.collection.objects.link(giver)
        both = [giver, obj]
        with bpy.context.temp_override(
            object=giver, active_object=giver, selected_objects=both, selected_editable_objects=both
        ):
            bpy.ops.object.data_transfer(
                data_type="VGROUP_WEIGHTS",
                use_object_transform=False,
                vert_mapping="POLYINTERP_NEAREST",
                layers_select_src="ALL",
                layers_select_dst="NAME",
            )
    finally:
        bpy.data.objects.remove(giver)
