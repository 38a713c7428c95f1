"""Runs inside Blender: what `addon/scene` reads of images and makes of result files, one function per behaviour.

Usage: FOLDER, which holds the files that `test_scene.py` wrote; `checks.json` in it receives the outcomes.
"""

# pyright: reportMissingImports=false, reportAttributeAccessIssue=false, reportOptionalMemberAccess=false
# pyright: reportArgumentType=false, reportIndexIssue=false, reportCallIssue=false

from __future__ import annotations

import importlib.util
import json
import os
import sys
import traceback
from dataclasses import replace
from pathlib import Path

import bpy
import numpy as np

ROOT = Path(__file__).resolve().parents[2]
FOLDER = Path(sys.argv[-1])


def _extension() -> None:
    spec = importlib.util.spec_from_file_location(
        "omagen_extension", ROOT / "__init__.py", submodule_search_locations=[str(ROOT)]
    )
    module = importlib.util.module_from_spec(spec)
    sys.modules["omagen_extension"] = module
    spec.loader.exec_module(module)


_extension()
from omagen_extension.addon.scene.glb import read_object  # noqa: E402
from omagen_extension.addon.scene.read_image import read_mask, read_picture  # noqa: E402
from omagen_extension.addon.scene.write_object import write_object  # noqa: E402


def arrays_of(name):
    return read_object((FOLDER / f"{name}.glb").read_bytes())


def write(name, **settings):
    return write_object(bpy.context, arrays_of(name), name, **settings)


def values(collection, attribute, width, dtype=np.float32):
    found = np.empty(len(collection) * width, dtype)
    collection.foreach_get(attribute, found)
    return found.reshape(-1, width) if width > 1 else found


def data_counts():
    kinds = ("meshes", "objects", "materials", "images", "node_groups")
    return {kind: len(getattr(bpy.data, kind)) for kind in kinds}


def source(material, socket):
    """The node behind an input of the material's shader."""
    shader = next(node for node in material.node_tree.nodes if node.type == "BSDF_PRINCIPLED")
    links = shader.inputs[socket].links
    return links[0].from_node if links else None


def shader_value(material, socket):
    shader = next(node for node in material.node_tree.nodes if node.type == "BSDF_PRINCIPLED")
    value = shader.inputs[socket].default_value
    return tuple(value) if hasattr(value, "__len__") else value


def check_geometry_uvs_and_colors_arrive_unchanged():
    arrays = arrays_of("full")
    mesh = write("full").data
    np.testing.assert_array_equal(values(mesh.vertices, "co", 3), arrays.positions)
    np.testing.assert_array_equal(values(mesh.loops, "vertex_index", 1, np.int32), arrays.corner_vertex)
    np.testing.assert_array_equal(values(mesh.uv_layers["UVMap"].uv, "vector", 2), arrays.uv)
    np.testing.assert_array_equal(values(mesh.color_attributes["Color"].data, "color", 4), arrays.colors)
    np.testing.assert_array_equal(values(mesh.polygons, "material_index", 1, np.int32), arrays.material_index)
    assert mesh.validate() is False


def check_smooth_normals_arrive():
    arrays = arrays_of("smooth")
    assert arrays.vertex_normals is not None
    mesh = write("smooth").data
    found = values(mesh.corner_normals, "vector", 3)
    # Before 4.5 normals that smooth shading gives anyway, to half a degree, are not stored.
    np.testing.assert_allclose(found, arrays.vertex_normals[arrays.corner_vertex], atol=1e-2)


def check_sharp_normals_arrive():
    arrays = arrays_of("full")
    assert arrays.corner_normals is not None
    mesh = write("full").data
    np.testing.assert_allclose(values(mesh.corner_normals, "vector", 3), arrays.corner_normals, atol=1e-3)


def check_without_normals_faces_are_flat():
    mesh = write("bare").data
    assert not any(polygon.use_smooth for polygon in mesh.polygons)


def check_edges_are_those_that_blender_calculates():
    for name in ("smooth", "random"):
        mesh = write(name).data
        copy = mesh.copy()
        copy.update(calc_edges=True)
        assert len(copy.edges) == len(mesh.edges)
        for one in (mesh, copy):
            pairs = np.sort(values(one.edges, "vertices", 2, np.int32), axis=1)
            by_corner = pairs[values(one.loops, "edge_index", 1, np.int32)]
            corners = values(one.loops, "vertex_index", 1, np.int32).reshape(-1, 3)
            expected = np.sort(np.stack([corners, corners[:, (1, 2, 0)]], -1), axis=-1).reshape(-1, 2)
            np.testing.assert_array_equal(by_corner, expected)
            assert len(np.unique(pairs, axis=0)) == len(pairs)


def check_size_location_selection_and_provenance():
    before = write("bare")
    bpy.context.scene.cursor.location = (1, 2, 3)
    obj = write("full", size=2.5)
    assert tuple(obj.location) == (1, 2, 3)
    assert abs(max(obj.dimensions) - 2.5) < 1e-5
    assert tuple(obj.scale) == (1, 1, 1)
    assert obj.select_get() and not before.select_get()
    assert bpy.context.view_layer.objects.active == obj
    assert json.loads(obj["omagen"]) == {"engine": "test", "seed": 7}
    other = write("full", location=(4, 5, 6), provenance={"seed": 8})
    assert tuple(other.location) == (4, 5, 6)
    assert json.loads(other["omagen"]) == {"seed": 8}


def check_it_goes_into_the_active_collection():
    collection = bpy.data.collections.new("mine")
    bpy.context.scene.collection.children.link(collection)
    layer = bpy.context.view_layer.layer_collection.children["mine"]
    bpy.context.view_layer.active_layer_collection = layer
    assert write("bare").users_collection == (collection,)


def check_an_excluded_collection_does_not_hide_the_result():
    collection = bpy.data.collections.new("hidden")
    bpy.context.scene.collection.children.link(collection)
    layer = bpy.context.view_layer.layer_collection.children["hidden"]
    bpy.context.view_layer.active_layer_collection = layer
    layer.exclude = True
    obj = write("bare")
    assert bpy.context.view_layer.objects.active == obj


def check_another_mode_keeps_selection_and_mode():
    edited = write("bare")
    bpy.ops.object.mode_set(mode="EDIT")
    obj = write("full")
    assert bpy.context.mode == "EDIT_MESH"
    assert bpy.context.view_layer.objects.active == edited
    assert obj.name in bpy.context.view_layer.objects
    bpy.ops.object.mode_set(mode="OBJECT")


def check_textures_are_packed_with_the_right_colour_spaces():
    material = write("full").data.materials["paint"]
    mix = source(material, "Base Color")
    assert mix.type == "MIX"
    images = {node.image.name: node for node in material.node_tree.nodes if node.type == "TEX_IMAGE"}
    spaces = {name: node.image.colorspace_settings.name for name, node in images.items()}
    assert spaces["paint base color"] == spaces["paint emission"] == "sRGB"
    assert spaces["paint metallic roughness"] == spaces["paint normal"] == "Non-Color"
    for node in images.values():
        assert node.image.packed_file is not None
        assert tuple(node.image.size) == (4, 2)
        assert node.image.source == "FILE"
    assert images["paint base color"].extension == "EXTEND"
    assert images["paint normal"].extension == "MIRROR"
    top_left = np.array(images["paint base color"].image.pixels[:]).reshape(2, 4, 4)[1, 0]
    np.testing.assert_allclose(top_left * 255, (10, 20, 30, 255), atol=0.01)


def check_material_channels_and_factors():
    material = write("full").data.materials["paint"]
    roughness, metallic = source(material, "Roughness"), source(material, "Metallic")
    assert (roughness.type, metallic.type) == ("MATH", "SEPARATE_COLOR")
    assert source(material, "Normal").type == "NORMAL_MAP"
    assert source(material, "Normal").uv_map == "UVMap"
    assert shader_value(material, "Emission Strength") == 4.0
    assert material.use_backface_culling
    assert any(node.type == "GROUP" and node.inputs.get("Occlusion") for node in material.node_tree.nodes)


def check_alpha_modes():
    materials = write("full").data.materials
    assert source(materials["paint"], "Alpha") is None
    assert shader_value(materials["paint"], "Alpha") == 1.0
    mask = source(materials["leaf"], "Alpha")
    assert (mask.type, mask.operation) == ("MATH", "SUBTRACT")
    assert materials["leaf"].surface_render_method == "DITHERED"
    assert not materials["leaf"].use_backface_culling
    assert materials["glass"].surface_render_method == "BLENDED"
    assert shader_value(materials["glass"], "Alpha") == 0.25


def check_plain_factors_need_no_nodes():
    material = write("smooth").data.materials[0]
    assert sorted(node.type for node in material.node_tree.nodes) == ["BSDF_PRINCIPLED", "OUTPUT_MATERIAL"]
    np.testing.assert_allclose(shader_value(material, "Base Color"), (0.5, 0.25, 0.125, 1), atol=1e-6)
    assert shader_value(material, "Roughness") == 0.75


def check_the_exporter_reads_the_material_back():
    write("full")
    path = FOLDER / "exported.glb"
    bpy.ops.export_scene.gltf(filepath=str(path), use_selection=True)
    data = path.read_bytes()
    document = json.loads(data[20 : 20 + int.from_bytes(data[12:16], "little")])
    found = {material["name"].partition(".")[0]: material for material in document["materials"]}
    assert {"baseColorTexture", "metallicRoughnessTexture"} <= set(found["paint"]["pbrMetallicRoughness"])
    assert {"normalTexture", "occlusionTexture", "emissiveTexture"} <= set(found["paint"])
    assert found["leaf"]["alphaMode"] == "MASK"
    assert abs(found["leaf"]["alphaCutoff"] - 0.75) < 1e-6
    assert found["leaf"]["doubleSided"]
    assert found["glass"]["alphaMode"] == "BLEND"


def check_every_mesh_is_valid_in_blenders_eyes():
    for name in ("full", "smooth", "bare", "faulty", "random"):
        mesh = write(name).data
        assert mesh.validate(verbose=True) is False, name


def check_collapsed_and_repeated_triangles_are_left_out():
    arrays = arrays_of("faulty")
    assert arrays.left_out == 3
    assert len(write("faulty").data.polygons) == len(arrays_of("smooth").corner_vertex) // 3


def check_nothing_is_left_when_it_fails():
    broken = replace(arrays_of("full"), colors=np.zeros(5, np.float32))
    before = data_counts()
    try:
        write_object(bpy.context, broken, "broken")
    except (RuntimeError, TypeError, ValueError):
        pass
    else:
        raise AssertionError("colours for fewer vertices were accepted")
    assert data_counts() == before


def check_undo_removes_all_of_it():
    bpy.ops.ed.undo_push(message="before")
    before = data_counts()
    write("full")
    bpy.ops.ed.undo_push(message="after")
    bpy.ops.ed.undo()
    assert data_counts() == before


def check_pixels_are_sent_upright_in_srgb_and_masks_by_transparency():
    values = np.zeros((300, 40, 4), np.float32)
    values[:100] = (0.5, 0.25, 1.0, 1.0)  # the lowest third, as rows run from the bottom
    values[100:] = (1.0, 1.0, 1.0, 0.25)
    for linear in (False, True):
        image = bpy.data.images.new("drawn", 40, 300, alpha=True, float_buffer=linear)
        image.pixels.foreach_set(values.ravel())
        sent = read_picture(image).png()
        top, bottom = (np.array(_unpacked(sent).pixels[i : i + 4]) for i in (299 * 160, 0))
        np.testing.assert_allclose(top, (1, 1, 1, 0.25), atol=0.01)
        np.testing.assert_allclose(bottom, (0.735, 0.537, 1, 1) if linear else (0.5, 0.25, 1, 1), atol=0.01)
        mask = _unpacked(read_mask(image).png())
        np.testing.assert_allclose((mask.pixels[0], mask.pixels[299 * 160]), (1.0, 0.25), atol=0.01)


def _unpacked(png):
    image = bpy.data.images.new("sent", 1, 1, alpha=True)
    image.source = "FILE"
    image.pack(data=png, data_len=len(png))
    assert tuple(image.size) == (40, 300)
    return image


def main() -> None:
    outcomes = {}
    for name, check in sorted(globals().items()):
        if name.startswith("check_"):
            bpy.ops.wm.read_homefile(use_empty=True)
            try:
                check()
                outcomes[name] = ""
            except Exception:
                outcomes[name] = traceback.format_exc()
    (FOLDER / "checks.json").write_text(json.dumps(outcomes))
    # The bpy module may crash on its way out; everything that matters has been written.
    sys.stdout.flush()
    os._exit(0)


main()
