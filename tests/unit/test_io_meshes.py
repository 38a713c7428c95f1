"""OBJ, PLY and STL, formats told by their content, and what all shared meshes read as."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import trimesh
from omagen.io.meshes import read_mesh
from omagen.protocol import OmagenError
from omagen.shapes.material import UNMOVED
from PIL import Image
from sample_meshes import cube, noise

CUBE = trimesh.Trimesh(cube().vertices, cube().faces, process=False)


def _write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def _exported(kind: str) -> bytes:
    """The cube in a file format, as trimesh writes it."""
    data = CUBE.export(file_type=kind)
    assert isinstance(data, str | bytes)
    return data.encode() if isinstance(data, str) else data


@pytest.mark.parametrize("kind", ["glb", "obj", "ply", "stl", "stl_ascii"])
@pytest.mark.parametrize("name", ["mesh", "mesh.obj", "mesh.glb", "0" * 64])
def test_format_is_told_by_content_not_by_name(tmp_path: Path, kind: str, name: str) -> None:
    path = _write(tmp_path / name, _exported(kind))
    mesh, warnings = read_mesh(path)
    assert np.allclose(mesh.vertices[mesh.faces], CUBE.triangles) and warnings == ()


@pytest.mark.parametrize("content", [b"\x89PNG\r\n\x1a\n", b"hello world, this is no mesh", b"%PDF-1.7" + bytes(500)])
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(OmagenError, match="not a mesh file that is known"):
        read_mesh(_write(tmp_path / "mesh.glb", content))


def test_name_comes_from_the_file_but_not_from_an_upload(tmp_path: Path) -> None:
    data = _exported("stl")
    assert read_mesh(_write(tmp_path / "crate.stl", data))[0].name == "crate"
    assert read_mesh(_write(tmp_path / ("0" * 64), data))[0].name == "object"


OBJ = """# two materials, a quad, relative indices and a line continuation
mtllib thing.mtl
v 0 0 0
v 1 0 0
v 1 1 0
v 0 1 0
vt 0 0
vt 1 0
vt 1 1
vt 0 1
vn 0 0 1
usemtl red
f 1/1/1 2/2/1 3/3/1 4/4/1
v 0 0 5
usemtl plain
f -5/1/1 -4/2/1 \\
  -1/3/1
"""
MTL = """newmtl red
Kd 1 0.5 0.25
Pr 0.3
Pm 0.8
Ke 0 2 0
d 0.5
map_Kd -s 1 1 1 skin.png
newmtl plain
Ns 250
"""


def test_obj_polygons_relative_indices_and_materials_are_read(tmp_path: Path) -> None:
    Image.fromarray(noise(0)).save(tmp_path / "skin.png")
    _write(tmp_path / "thing.mtl", MTL)
    mesh, warnings = read_mesh(_write(tmp_path / "thing.obj", OBJ))
    assert warnings == ()
    assert mesh.faces.tolist() == [[0, 1, 2], [0, 2, 3], [0, 1, 4]]
    assert mesh.uv is not None and mesh.uv[2].tolist() == [[0, 0], [1, 0], [1, 1]]
    assert mesh.normals is not None and (mesh.normals == [0, 0, 1]).all()
    assert mesh.material_index is not None and mesh.material_index.tolist() == [0, 0, 1]
    red, plain = mesh.materials
    assert (red.base_color, red.roughness, red.metallic) == ((1, 0.5, 0.25, 0.5), 0.3, 0.8)
    assert (red.emissive, red.alpha_mode) == ((0, 2, 0), "BLEND")
    assert red.base_color_texture is not None and np.array_equal(red.base_color_texture.pixels, noise(0))
    assert plain.roughness == pytest.approx(0.5)


def test_mtl_options_place_clamp_and_strengthen_textures(tmp_path: Path) -> None:
    Image.fromarray(noise(0)).save(tmp_path / "skin.png")
    maps = "map_Kd -s 2 3 1 -o 0.5 skin.png\nmap_Ke -blendu on -clamp on skin.png\nnorm -bm 0.5 -o -1 x nan skin.png\n"
    _write(tmp_path / "thing.mtl", "newmtl red\n" + maps)
    material = read_mesh(_write(tmp_path / "thing.obj", OBJ))[0].materials[0]
    color, glow, normal = material.base_color_texture, material.emissive_texture, material.normal_texture
    assert color is not None and color.transform == (2, 0, 0.5, 0, 3, 0) and color.wrap_u == "repeat"
    assert glow is not None and (glow.wrap_u, glow.wrap_v) == ("clamp", "clamp") and glow.transform == UNMOVED
    assert normal is not None and material.normal_scale == 0.5 and normal.transform == (1, 0, -1, 0, 1, 0)


def test_obj_without_its_companions_loads_with_a_warning(tmp_path: Path) -> None:
    mesh, warnings = read_mesh(_write(tmp_path / "thing.obj", OBJ))
    assert len(mesh.faces) == 3 and [material.name for material in mesh.materials] == ["red", "plain"]
    assert "thing.mtl" in warnings[0]


def test_obj_without_its_texture_keeps_the_colour_and_warns(tmp_path: Path) -> None:
    _write(tmp_path / "thing.mtl", MTL)
    mesh, warnings = read_mesh(_write(tmp_path / "thing.obj", OBJ))
    assert mesh.materials[0].base_color_texture is None and "skin.png" in warnings[0]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("f 1 2", "a face has 2 corners"),
        ("f 1 2 x", "not a list of indices"),
        ("f 1 2/1 3", "differ in what they name"),
        ("f 1//9 2//9 3//9", "does not exist"),
        ("f -1 -2 -x", "not a corner of a face"),
        ("v 1 2", "a vertex is not three numbers"),
        ("vt one two", "a texture coordinate is not two numbers"),
        ("f 1 2 " + " ".join(["3"] * 2000), "corners"),
    ],
)
def test_obj_error_names_the_line(tmp_path: Path, line: str, reason: str) -> None:
    with pytest.raises(OmagenError, match=f"Line 5 of it cannot be read: .*{reason}"):
        read_mesh(_write(tmp_path / "bad.obj", f"v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n{line}\n"))


def test_obj_vertex_colours_become_linear(tmp_path: Path) -> None:
    text = "v 0 0 0 1 0.5 0\nv 1 0 0 1 0.5 0\nv 0 1 0 1 0.5 0\nf 1 2 3\n"
    mesh, _ = read_mesh(_write(tmp_path / "paint.obj", text))
    assert mesh.colors is not None and mesh.colors[0].tolist() == pytest.approx([1, 0.214, 0, 1], abs=1e-3)


@pytest.mark.parametrize("encoding", ["ascii", "binary_little_endian"])
def test_ply_polygons_uv_normals_and_colours_are_read(tmp_path: Path, encoding: str) -> None:
    vertex = np.dtype(
        [(name, "<f4") for name in ("x", "y", "z", "nx", "ny", "nz", "s", "t")] + [(c, "u1") for c in "rgb"]
    )
    rows = np.array([(x, y, 0, 0, 0, 2, x, y, 255, 128, 0) for x, y in ((0, 0), (1, 0), (1, 1), (0, 1))], vertex)
    names = [*vertex.names[:8], "red", "green", "blue"] if vertex.names else []
    kinds = ["float"] * 8 + ["uchar"] * 3
    head = [
        f"ply\nformat {encoding} 1.0",
        "element vertex 4",
        *(f"property {k} {n}" for k, n in zip(kinds, names, strict=True)),
    ]
    head += ["element face 1", "property list uchar int vertex_indices", "end_header", ""]
    if encoding == "ascii":
        body = "".join(" ".join(map(str, row)) + "\n" for row in rows.tolist()).encode() + b"4 0 1 2 3\n"
    else:
        body = rows.tobytes() + b"\4" + np.arange(4, dtype="<i4").tobytes()
    mesh, _ = read_mesh(_write(tmp_path / "quad.ply", "\n".join(head).encode() + body))
    assert len(mesh.faces) == 2
    assert mesh.uv is not None and np.array_equal(mesh.uv, mesh.vertices[mesh.faces][..., :2])
    assert mesh.normals is not None and (mesh.normals == [0, 0, 1]).all()
    assert mesh.colors is not None and mesh.colors[0].tolist() == pytest.approx([1, 0.216, 0, 1], abs=1e-3)


@pytest.mark.parametrize("cut", range(0, 100, 7))
@pytest.mark.parametrize("kind", ["ply", "stl", "stl_ascii", "obj"])
def test_cut_off_file_gives_a_mesh_or_an_error(tmp_path: Path, kind: str, cut: int) -> None:
    data = _exported(kind)
    try:
        mesh, _ = read_mesh(_write(tmp_path / f"cut.{kind[:3]}", data[: len(data) * cut // 100]))
    except OmagenError as error:
        assert error.remedy
    else:
        assert len(mesh.faces) and mesh.faces.max() < len(mesh.vertices)


def test_faces_with_undefined_corners_are_dropped_with_a_warning(tmp_path: Path) -> None:
    text = "v 0 0 0\nv 1 0 0\nv 0 1 0\nv nan 0 0\nf 1 2 3\nf 1 2 4\n"
    mesh, warnings = read_mesh(_write(tmp_path / "holes.obj", text))
    assert len(mesh.faces) == 1 and np.isfinite(mesh.vertices).all()
    assert warnings == ("1 faces with undefined coordinates are dropped.",)


@pytest.mark.parametrize(
    ("name", "triangles", "materials", "low", "high"),
    # triangles and bounds as Blender 4.5 imports them; a file without any material gets our default one
    [
        ("alpha_modes.glb", 61, 6, (-4.3, -0.1, -0.75), (4.3, 2.29953, 0.55)),
        ("flight_helmet_multimaterial.glb", 94722, 6, (-0.20364, -0.00002, -0.17155), (0.16294, 0.716, 0.20003)),
        ("table_palette_overlapping_uv.glb", 3499, 1, (-1, 0, -2.02507), (1, 2.76757, 2)),
        ("texture_settings_uv_outside.glb", 72, 10, (-5.16167, -5.61856, -0.15), (5.16167, 4.45354, 0.1)),
        ("spot_nodes_negative_scale.glb", 11712, 1, (-0.66891, -0.73678, -1.67155), (1.049, 0.95365, 1.43578)),
        ("spot_obj/spot.obj", 5856, 1, (-0.47155, -0.73678, -0.66891), (0.47155, 0.95365, 1.049)),
        ("mountain_open_boundary.glb", 50562, 1, (-15.55716, 7.05598, -14.42024), (17.43064, 24.91210, 18.56213)),
    ],
)
def test_shared_meshes_have_the_triangles_and_bounds_that_blender_imports(
    assets: Path, name: str, triangles: int, materials: int, low: tuple[float, ...], high: tuple[float, ...]
) -> None:
    mesh, warnings = read_mesh(assets / "meshes" / name)
    assert (len(mesh.faces), len(mesh.materials), warnings) == (triangles, materials, ())
    corners = mesh.vertices[mesh.faces].reshape(-1, 3)
    assert np.allclose(corners.min(0), low, atol=1e-4) and np.allclose(corners.max(0), high, atol=1e-4)
