"""Draw docs/mesh-gallery.jpg: meshes before and after finishing, refining and texturing.

    .venv/bin/python tools/mesh_gallery.py              # needs OMAGEN_SHARED (default: ../shared): its meshes

Cycles renders in the bpy module (OMAGEN_BPY_PYTHON or .venv-blender).
"""

# pyright: reportMissingImports=false

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
MODULE_PYTHON = os.environ.get("OMAGEN_BPY_PYTHON", str(ROOT / ".venv-blender" / "bin" / "python"))
SHARED = Path(os.environ.get("OMAGEN_SHARED", ROOT.parent / "shared"))
SIZE, CAPTION, SAMPLES, QUALITY = 320, 24, 24, 86
SIDES = ("front", "right", "back", "left")


CLAY = (0.32, 0.3, 0.28, 1.0)


@dataclass(frozen=True)
class Shot:
    """One picture of a row: a mesh and what is said of it."""

    mesh: Path
    caption: str


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "docs" / "mesh-gallery.jpg")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="leave meshes and single pictures there")
    parser.add_argument("--render", nargs="+", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.render:
        render(options.render)
    with tempfile.TemporaryDirectory() as made:
        folder = (options.keep or Path(made)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        rows = [finished(folder), refined(folder), carved(folder), textured(folder)]
        for row in rows:
            command = [MODULE_PYTHON, __file__, "--render", *(shot.mesh for shot in row)]
            subprocess.run(list(map(str, command)), check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        compose(rows, options.output)
    sys.stdout.write(f"{options.output}\n")


def asset(name: str) -> Path:
    return SHARED / "assets" / "meshes" / name


def omagen(folder: Path, *words: object) -> None:
    command = [sys.executable, "-m", "omagen", *map(str, words), "--quiet", "--data", str(folder / "data")]
    subprocess.run(command, check=True)


def turned(source: Path, target: Path) -> Path:
    """A mesh that looks backwards, turned to the front."""
    from dataclasses import replace

    from omagen.io.glb_writer import write_glb
    from omagen.io.meshes import read_mesh

    mesh = read_mesh(source)[0]
    half = np.array([-1, 1, -1], np.float32)
    normals = None if mesh.normals is None else mesh.normals * half
    write_glb(replace(mesh, vertices=mesh.vertices * half, normals=normals), target, {})
    return target


def finished(folder: Path) -> list[Shot]:
    source = grey(asset("koala_mc_880k.glb"), folder / "dense.glb")
    omagen(folder, "finish", source, "-o", folder / "light.glb", "--faces", 20000, "--lods", 4)
    omagen(folder, "finish", source, "-o", folder / "quads.glb", "--quads", "--faces", 8000, "--materials", "keep")
    return [
        Shot(source, "881,000 triangles, no UVs"),
        Shot(folder / "light.glb", "finished: 20,000, UVs, normals baked"),
        Shot(folder / "light_lod3.glb", "its third level of detail: 2,500"),
        Shot(folder / "quads.glb", "remeshed: about 8,000 quads"),
    ]


def refined(folder: Path) -> list[Shot]:
    """A coarse, smooth mesh follows the normals of a fine one."""
    coarse, blurred = folder / "coarse.glb", folder / "blurred.glb"
    fine = asset("koala_vertex_colors_no_uv_100k.glb")
    omagen(folder, "finish", fine, "-o", coarse, "--faces", 3000, "--materials", "keep", "--unwrap", "auto")
    smooth(coarse, blurred)
    omagen(folder, "refine", blurred, "--detail", fine, "--vertices", 60000, "-o", folder / "refined.glb")
    omagen(folder, "refine", blurred, "--detail", fine, "--maps", "-o", folder / "mapped.glb")
    return [
        Shot(blurred, "coarse and smooth: 3,000 triangles"),
        Shot(folder / "mapped.glb", "refined into maps: the same triangles"),
        Shot(folder / "refined.glb", "refined: 60,000 vertices"),
        Shot(grey(fine, folder / "fine.glb"), "whose normals it has followed"),
    ]


def carved(folder: Path) -> list[Shot]:
    """A normal map becomes shape."""
    from dataclasses import replace

    from omagen.io.glb_writer import write_glb
    from omagen.shapes import Material

    mesh = sphere()
    plain_ball, map_file = folder / "ball.glb", folder / "weave.png"
    write_glb(replace(mesh, materials=(Material(base_color=CLAY, roughness=0.5),)), plain_ball, {})
    weave().save(map_file)
    shots = [Shot(plain_ball, "a ball with UVs")]
    for strength in (0.5, 1.0, 2.0):
        target = folder / f"carved-{strength}.glb"
        omagen(
            folder,
            "refine",
            plain_ball,
            "--normals",
            map_file,
            "--vertices",
            150000,
            "--strength",
            strength,
            "-o",
            target,
        )
        shots.append(Shot(target, f"a normal map as shape, strength {strength:g}"))
    return shots


def textured(folder: Path) -> list[Shot]:
    source = turned(next(asset("spot_obj").glob("*.obj")), folder / "spot.glb")
    bare = grey(source, folder / "bare.glb")
    for side in SIDES:
        photograph(source, side, folder / f"{side}.png")
    sides = [word for side in SIDES for word in (f"--{side}", folder / f"{side}.png")]
    omagen(folder, "texture", bare, "--front", folder / "front.png", "-o", folder / "one.glb")
    omagen(folder, "texture", bare, *sides, "-o", folder / "four.glb")
    return [
        Shot(bare, "a mesh without colours"),
        Shot(folder / "one.glb", "textured from the front alone"),
        Shot(folder / "four.glb", "from four sides"),
        Shot(source, "the mesh that was photographed"),
    ]


def smooth(source: Path, target: Path) -> None:
    """Laplacian smoothing, grey."""
    from dataclasses import replace

    import trimesh
    from omagen.geometry.cleaning import weld_vertices
    from omagen.io.glb_writer import write_glb
    from omagen.io.meshes import read_mesh
    from omagen.shapes import Material

    mesh = weld_vertices(replace(read_mesh(source)[0], colors=None))
    shape = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)
    trimesh.smoothing.filter_laplacian(shape, iterations=6)
    vertices = np.asarray(shape.vertices, np.float32)
    write_glb(
        replace(mesh, vertices=vertices, normals=None, materials=(Material(base_color=CLAY, roughness=0.6),)),
        target,
        {},
    )


def grey(source: Path, target: Path) -> Path:
    from dataclasses import replace

    from omagen.io.glb_writer import write_glb
    from omagen.io.meshes import read_mesh
    from omagen.shapes import Material

    mesh = read_mesh(source)[0]
    clay = Material(base_color=CLAY, roughness=0.6)
    write_glb(replace(mesh, colors=None, material_index=None, materials=(clay,)), target, {})
    return target


def sphere():
    """A sphere of 96 x 48 with one square of UVs, the seam at the back."""
    from omagen.shapes import Mesh

    around, down = 96, 48
    u, v = np.meshgrid(np.arange(around + 1) / around, np.arange(down + 1) / down)
    angle, height = 2 * np.pi * u, np.pi * (v - 0.5)
    vertices = np.stack([-np.sin(angle) * np.cos(height), np.sin(height), -np.cos(angle) * np.cos(height)], axis=-1)
    row, column = np.mgrid[:down, :around]
    a = row * (around + 1) + column
    quads = np.stack([a, a + 1, a + around + 2, a + around + 1], axis=-1).reshape(-1, 4)
    faces = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])
    flat = vertices.reshape(-1, 3).astype(np.float32)
    uv = np.stack([u, v], axis=-1).reshape(-1, 2).astype(np.float32)[faces]
    same = (a[:, 0] + around, a[:, 0])  # the seam is one line of vertices
    number = np.arange(len(flat))
    number[same[0]] = number[same[1]]
    number[: around + 1], number[-around - 1 :] = 0, len(flat) - around - 1
    joined = number[faces].astype(np.int32)
    kept = (joined != np.roll(joined, 1, axis=1)).all(axis=1)
    return Mesh(flat, joined[kept], uv[kept], normals=flat[faces[kept]])


def weave():
    """A normal map of crossing bands."""
    from PIL import Image

    y, x = np.mgrid[:1024, :2048] / 1024
    across, up = np.sin(24 * np.pi * x), np.sin(24 * np.pi * y)
    over = (np.floor(12 * x) + np.floor(12 * y)) % 2
    height = np.where(over > 0, np.abs(across), np.abs(up)) * 0.012
    slope_y, slope_x = np.gradient(height, 1 / 1024)
    normal = np.dstack([-slope_x, slope_y, np.ones_like(x)])
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    return Image.fromarray(np.round((normal + 1) * 127.5).astype(np.uint8)).resize((1024, 1024))


def photograph(source: Path, side: str, target: Path) -> None:
    """A picture of a mesh's colours from one side, without light, on nothing."""
    from omagen.geometry.cameras import view_set
    from omagen.geometry.color import to_srgb
    from omagen.geometry.view_raster import rasterize_view
    from omagen.io.meshes import read_mesh
    from omagen.omage.surface import sample_surface
    from PIL import Image

    mesh = read_mesh(source)[0]
    camera = view_set(mesh, 4)[SIDES.index(side)]
    raster = rasterize_view(mesh.vertices, mesh.faces, camera, 1024, 1024)
    seen = raster.face >= 0
    albedo = sample_surface(mesh, raster.face[seen], raster.barycentric[seen][:, 1:]).albedo
    picture = np.zeros((1024, 1024, 4), np.uint8)
    picture[seen, :3] = np.round(to_srgb(albedo) * 255)
    picture[seen, 3] = 255
    Image.fromarray(picture).save(target)


def render(meshes: list[Path]) -> None:
    """In the bpy module: a PNG beside each mesh, all seen by the camera that fits the first."""
    import bpy

    sys.path.insert(0, str(ROOT / "tests"))
    from places import import_extension

    import_extension()
    from omagen_extension.addon import product_shot
    from omagen_extension.addon.scene.glb import read_object
    from omagen_extension.addon.scene.write_object import write_object

    for path in meshes:
        bpy.ops.wm.read_homefile(use_empty=True)
        made = write_object(bpy.context, read_object(path.read_bytes()), path.stem, size=1.0)
        product_shot.compose(bpy.context.scene, made)
        product_shot.render(bpy.context.scene, path.with_suffix(".png"), SIZE, SAMPLES)
    os._exit(0)  # some versions of the module crash in their own clean-up


def compose(rows: list[list[Shot]], output: Path) -> None:
    from PIL import Image, ImageDraw, ImageFont

    sheet = Image.new("RGB", (max(map(len, rows)) * SIZE, len(rows) * (SIZE + CAPTION)), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(14)
    for number, row in enumerate(rows):
        for column, shot in enumerate(row):
            place = column * SIZE, number * (SIZE + CAPTION)
            sheet.paste(Image.open(shot.mesh.with_suffix(".png")).convert("RGB"), place)
            draw.text((place[0] + 6, place[1] + SIZE + 3), shot.caption, fill=(40, 40, 40), font=font)
    sheet.save(output, quality=QUALITY, optimize=True)


if __name__ == "__main__":
    main()
