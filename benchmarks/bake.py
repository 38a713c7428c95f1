"""Baking a detailed surface onto a light one, beside Blender's Cycles ("selected to active") with the same meshes, maps
and texture size; and rays beside trimesh's.

    python benchmarks/bake.py [--faces N] [--size PIXELS] [--json]

Colours and normals are compared with what the detailed surface is like at the nearest point of each texel's middle.
Processor seconds of baking alone: reading, building the scene and writing do not count for either. Cycles takes four
samples of colours and normals, as we do, and 64 of occlusion, without denoising. It casts rays one way along the
normal, we cast them both ways, so as to take the nearer surface. Limits: for each map twice the time of Cycles and 1.25
times its error; for rays 1.25 times what trimesh takes, as the library underneath is the same. Status 1: over a limit.
"""

# pyright: reportMissingImports=false, reportAttributeAccessIssue=false, reportOptionalMemberAccess=false

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
MODULE_PYTHON = os.environ.get("OMAGEN_BPY_PYTHON", str(ROOT / ".venv-blender" / "bin" / "python"))
ASSETS = Path(os.environ.get("OMAGEN_SHARED", ROOT.parent / "shared")) / "assets" / "meshes"
MAPS = ("base_color", "normal", "occlusion")
RAYS = 300_000
SLACK = 1.25


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mesh", type=Path, default=ASSETS / "koala_vertex_colors_no_uv_100k.glb")
    parser.add_argument("--large", type=Path, default=ASSETS / "koala_mc_880k.glb", help="for rays")
    parser.add_argument("--faces", type=int, default=5000, help="of the light surface")
    parser.add_argument("--size", type=int, default=1024, help="of the textures")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    parser.add_argument("--cycles", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.cycles:
        cycles(options.cycles, options.size)
        os._exit(0)  # some versions of the module crash in their own clean-up
    rows = [*bakes(options.mesh, options.faces, options.size), rays(options.large)]
    sys.stdout.write(json.dumps(rows, indent=1) + "\n" if options.json else table(rows))
    missed = [
        row["what"]
        for row in rows
        if row["ours_s"] > row["times"] * row["peer_s"] or row["ours_error"] > SLACK * row["peer_error"]
    ]
    sys.stderr.write("".join(f"missed: {what}\n" for what in missed))
    return bool(missed)


def bakes(path: Path, faces: int, size: int) -> list[dict[str, Any]]:
    import fast_simplification
    import numpy as np
    import xatlas
    from omagen.bake import bake
    from omagen.bake.correspondence import Correspondence
    from omagen.io.glb_writer import write_glb
    from omagen.io.meshes import read_mesh
    from omagen.omage.surface_normals import corner_normals
    from omagen.shapes import Mesh

    high, _ = read_mesh(path)
    high = replace(high, normals=corner_normals(high))
    vertices, triangles, *_ = fast_simplification.simplify(high.vertices, high.faces, target_count=faces)
    _, corner, uv = xatlas.parametrize(
        vertices,
        triangles,
    )
    uv = np.ascontiguousarray(uv[corner.reshape(-1)].reshape(-1, 3, 2), np.float32)
    low = Mesh(vertices.astype(np.float32), triangles.astype(np.int32), uv)
    low = replace(low, normals=corner_normals(low))
    cage = Correspondence(low, high).cage
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_glb(high, folder / "high.glb", {})
        write_glb(low, folder / "low.glb", {})
        (folder / "cage.json").write_text(json.dumps(cage))
        command = [MODULE_PYTHON, __file__, "--cycles", name, "--size", str(size)]
        subprocess.run(
            command, check=True, stdout=subprocess.DEVNULL, env={**os.environ, "BLENDER_USER_RESOURCES": name}
        )
        times = json.loads((folder / "times.json").read_text())
        for what in MAPS:
            bake(low, high, 32, frozenset({what}), cage=cage)  # compiles
            begin = time.process_time()
            (material,) = bake(low, high, size, frozenset({what}), cage=cage).materials
            seconds = time.process_time() - begin
            ours = getattr(material, f"{what}_texture").pixels[::-1, :, :3].astype(np.float32) / 255
            theirs = np.load(folder / f"{what}.npy")[..., :3]
            errors = [error(low, high, what, pixels) for pixels in (ours, theirs)]
            rows.append(row(f"{what}, {size} pixels", seconds, times[what], *errors))
    return rows


def error(low: Any, high: Any, what: str, pixels: Any) -> float:
    """Of colours the RMS in sRGB, of normals the mean angle in degrees; of occlusion there is no truth at hand: 0."""
    import numpy as np
    from omagen.geometry.color import to_srgb
    from omagen.geometry.distance import SurfaceTree
    from omagen.geometry.sampling import barycentric
    from omagen.omage.raster import raster_faces
    from omagen.omage.surface import sample_surface
    from omagen.omage.surface_points import interpolate_exactly
    from omagen.shapes import Material, Texture

    if what == "occlusion":
        return 0.0
    size = len(pixels)
    face, bary = raster_faces(low.uv.astype(float) * size, size, size)
    at = np.flatnonzero(face.reshape(-1) >= 0)
    face, bary = face.reshape(-1)[at], bary.reshape(-1, 2)[at]
    nearest = SurfaceTree(high.vertices, high.faces).nearest(
        interpolate_exactly(low.vertices.astype(np.float64), low.faces, face, bary)
    )
    there = barycentric(high.vertices, high.faces, nearest.face, nearest.position).astype(np.float32)
    truth = sample_surface(high, nearest.face.astype(np.int32), there)
    if what == "base_color":
        return float(np.sqrt(np.mean((pixels.reshape(-1, 3)[at] - to_srgb(truth.albedo)) ** 2)))
    texels = np.ascontiguousarray(np.round(pixels[::-1] * 255).astype(np.uint8))
    mapped = replace(low, materials=(Material(normal_texture=Texture(texels)),))
    found = sample_surface(mapped, face, bary).normal
    return float(np.degrees(np.arccos((found * truth.normal).sum(1).clip(-1, 1))).mean())


def cycles(folder: Path, size: int) -> None:
    """In Blender: bake `high.glb` to `low.glb` and write `<map>.npy`, row 0 at the bottom, and `times.json`."""
    import bpy
    import numpy as np

    bpy.ops.wm.read_factory_settings(use_empty=True)
    objects = []
    for name in ("high", "low"):
        bpy.ops.import_scene.gltf(filepath=str(folder / f"{name}.glb"))
        objects.append(next(o for o in bpy.context.selected_objects if o.type == "MESH"))
    high, low = objects
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.cycles.use_denoising = False
    show = bpy.data.materials.new("show")
    show.use_nodes = True
    nodes, links = show.node_tree.nodes, show.node_tree.links
    nodes.clear()
    attribute, light, output = (nodes.new(f"ShaderNode{n}") for n in ("Attribute", "Emission", "OutputMaterial"))
    attribute.attribute_name = high.data.color_attributes[0].name
    links.new(attribute.outputs["Color"], light.inputs["Color"])
    links.new(light.outputs[0], output.inputs["Surface"])
    high.data.materials.clear()
    high.data.materials.append(show)
    target = bpy.data.materials.new("target")
    target.use_nodes = True
    node = target.node_tree.nodes.new("ShaderNodeTexImage")
    target.node_tree.nodes.active = node
    low.data.materials.clear()
    low.data.materials.append(target)
    settings = scene.render.bake
    settings.use_selected_to_active, settings.margin, settings.normal_space = True, 16, "TANGENT"
    settings.cage_extrusion = json.loads((folder / "cage.json").read_text())
    settings.max_ray_distance = 2 * settings.cage_extrusion
    bpy.ops.object.select_all(action="DESELECT")
    high.select_set(True)
    low.select_set(True)
    bpy.context.view_layer.objects.active = low
    times = {}
    for what, kind, samples in (("base_color", "EMIT", 4), ("normal", "NORMAL", 4), ("occlusion", "AO", 64)):
        image = bpy.data.images.new(what, size, size, float_buffer=what != "base_color")
        if what != "base_color":
            image.colorspace_settings.name = "Non-Color"
        node.image, scene.cycles.samples = image, samples
        begin = time.process_time()
        bpy.ops.object.bake(type=kind)
        times[what] = time.process_time() - begin
        pixels = np.empty(size * size * 4, np.float32)
        image.pixels.foreach_get(pixels)
        np.save(folder / f"{what}.npy", pixels.reshape(size, size, 4))
    (folder / "times.json").write_text(json.dumps(times))


def rays(path: Path) -> dict[str, Any]:
    """First hits of rays towards a large mesh from all around; the error is the share of faces on which both differ."""
    import numpy as np
    import trimesh
    from omagen.geometry.cameras import bounding_sphere
    from omagen.geometry.rays import RayCaster
    from omagen.io.meshes import read_mesh

    mesh, _ = read_mesh(path)
    rng = np.random.default_rng(0)
    centre, radius = bounding_sphere(mesh)
    origin = rng.normal(size=(RAYS, 3))
    origin = centre + 1.5 * radius * origin / np.linalg.norm(origin, axis=1, keepdims=True)
    along = centre + 0.4 * radius * rng.normal(size=(RAYS, 3)) - origin
    begin = time.process_time()
    ours = RayCaster(mesh.vertices, mesh.faces).first_hit(origin, along).face
    seconds = time.process_time() - begin
    peer = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)
    begin = time.process_time()
    theirs = peer.ray.intersects_first(origin, along)
    return row(
        f"{RAYS:,} rays, {len(mesh.faces):,} faces",
        seconds,
        time.process_time() - begin,
        float(np.mean(ours != theirs)),
        1e-3,
        SLACK,
    )


def row(
    what: str, ours_s: float, peer_s: float, ours_error: float, peer_error: float, times: float = 2.0
) -> dict[str, Any]:
    return {
        "what": what,
        "ours_s": ours_s,
        "peer_s": peer_s,
        "ours_error": ours_error,
        "peer_error": peer_error,
        "times": times,
    }


def table(rows: list[dict[str, Any]]) -> str:
    lines = [
        "| what | Omagen, CPU s | peer, CPU s | Omagen, error | peer, error or limit |",
        "| --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| {r['what']} | {r['ours_s']:.2f} | {r['peer_s']:.2f} | {r['ours_error']:.4f} | {r['peer_error']:.4f} |"
        for r in rows
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
