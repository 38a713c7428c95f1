"""What compiles the kernels: the codec's own functions on objects as small as they can be.

Running them, rather than listing signatures, gives every kernel the very types that it gets in use. Each task is for a
process of its own; what two of them need is compiled by whichever comes first and loaded by the other.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from omagen.kernels.samples import ball, box, broken, sheets, wound, zipped

_RESOLUTION: Final = 64


@dataclass(frozen=True)
class Task:
    title: str
    """What it compiles, for the user"""
    run: Callable[[], None]


def cut_charts() -> None:
    from omagen.omage.atlas import make_atlas
    from omagen.omage.charts.charting import repaired
    from omagen.omage.charts.preparation import prepare

    for mesh in (ball(24, 12), ball(132, 66), broken()):  # the second one by way of a simpler one
        make_atlas(mesh, _RESOLUTION)
    make_atlas(box(), _RESOLUTION)
    mesh, uv = wound()
    repaired(prepare(mesh), np.zeros(len(uv), np.int32), uv)


def lay_out_charts() -> None:
    from omagen.omage.atlas import Atlas
    from omagen.omage.fitting import fit
    from omagen.omage.frame import normalise_vertices
    from omagen.omage.layout import lay_out

    mesh = box()
    assert mesh.uv is not None
    chart = np.repeat(np.arange(6, dtype=np.int32), 2)
    order = np.arange(len(mesh.faces), dtype=np.int32)
    atlas = Atlas(mesh.vertices, mesh.faces, order, mesh.uv.astype(float), chart, False, np.zeros(6, bool))
    fit(
        atlas,
        lambda atlas: lay_out(atlas, _RESOLUTION, keep=False, progress=lambda stage, fraction: None),
        lambda vertices: normalise_vertices(vertices)[0],
    )


def decode_sheets() -> None:
    from omagen.omage.decode import decode

    omage = sheets(_RESOLUTION)
    for given in (omage, replace(omage, normal=None), zipped(_RESOLUTION)):
        decode(given)
        decode(given, resolution=32)


def sample_materials() -> None:
    from omagen.omage.surface import sample_surface

    rng = np.random.default_rng(0)
    for mesh in (box(), replace(box(), normals=None), ball(8, 4)):
        face = np.repeat(np.arange(len(mesh.faces), dtype=np.int32), 3)
        bary = np.full((len(face), 2), 0.3, np.float32)
        sample_surface(mesh, face, bary)
        sample_surface(mesh, face, bary, rng.uniform(0, 8, (len(mesh.faces), 3, 2)))


def go_round() -> None:
    """All of it, through files: what the others have left out, with the types that files give."""
    from omagen.omage.decode import decode
    from omagen.omage.encode import encode, encode_with_layout
    from omagen.omage.files import read_omage, write_omage
    from omagen.omage.lod import lod_chain
    from omagen.omage.quality import fidelity, roundtrip_quality, seam_midpoints

    mesh = box()
    omage, _, layout = encode_with_layout(mesh, _RESOLUTION)
    fidelity(mesh, omage, layout.atlas)
    encode(mesh, _RESOLUTION, "unwrap")
    encode(ball(24, 12), _RESOLUTION)
    encode(broken(), _RESOLUTION)
    with tempfile.TemporaryDirectory() as folder:
        for name in ("box.omage", "box.npz"):
            write_omage(omage, Path(folder) / name)
            read, _ = read_omage(Path(folder) / name)
            decode(read, resolution=32)
            decoded, _ = decode(read)
            roundtrip_quality(mesh, omage, decoded, seam_points=seam_midpoints(layout.atlas), samples=1000)
            lod_chain(read, 32)


def finish_meshes() -> None:
    """Without encoding anything: what cutting charts needs comes from its own task."""
    from omagen.finish.finishing import finish_with_levels
    from omagen.finish.settings import FinishSettings
    from omagen.geometry.quality import quality_report

    for mesh in (ball(24, 12), box(), broken()):
        levels, _ = finish_with_levels(mesh, FinishSettings(faces=200, texture=_RESOLUTION, lods=2), _Silent())
        quality_report(levels.levels[0])  # type: ignore[union-attr]  # there are two


def texture_meshes() -> None:
    """Every map baked, from other and from the same faces, and pictures projected."""
    from omagen.bake import MAPS, bake
    from omagen.geometry.cameras import view_from
    from omagen.shapes import Picture
    from omagen.texturing import project_pictures

    picture = Picture(np.full((32, 32, 4), 200, np.uint8))
    for high in (ball(24, 12), box()):
        made = bake(box(), high, _RESOLUTION, MAPS)
        pictures = [(picture, view_from(made, np.array(way))) for way in ((0.0, 0.0, 1.0), (1.0, 0.0, 0.0))]
        for unseen in ("fill", "keep"):
            project_pictures(replace(made, region=np.ones(len(made.vertices), np.float32)), pictures, 32, unseen=unseen)


def refine_meshes() -> None:
    """By views, which have kernels of their own, and by maps."""
    from omagen.geometry.cameras import view_set
    from omagen.refine.maps import as_maps
    from omagen.refine.refinement import refine
    from omagen.refine.settings import RefineSettings
    from omagen.refine.sources import MapNormals
    from omagen.refine.views import refine_from_views, render_normals

    settings, silent = RefineSettings(), _Silent()
    refine_from_views(ball(24, 12), render_normals(ball(48, 24), view_set(ball(24, 12), 2), 32), settings, silent)
    as_maps(box(), refine(box(), MapNormals(box(), None, "tangent"), settings, silent)[0], 32)


class _Silent:
    """A progress that nobody watches."""

    def __call__(self, stage: str, fraction: float) -> None: ...

    def warn(self, message: str) -> None: ...


TASKS: Final = (
    Task("layout", lay_out_charts),
    Task("charts", cut_charts),
    Task("materials", sample_materials),
    Task("decoding", decode_sheets),
    Task("finishing", finish_meshes),
    Task("textures", texture_meshes),
    Task("refinement", refine_meshes),
    Task("the whole round trip", go_round),
)
"""In the order in which they are begun, the longest first; the last one after all others have ended"""
