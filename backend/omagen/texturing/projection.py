"""Pictures projected onto a mesh, blended, and continued where no picture shows it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from omagen.bake.surface_texels import SurfaceTexels
from omagen.bake.texels import Samples, TexelLayout, density, interpolated_normals
from omagen.bake.textures import srgb_bytes
from omagen.bake.thinning import spread, thinned
from omagen.geometry.cameras import Camera
from omagen.geometry.rays import RayCaster
from omagen.omage.raster_dilation import dilate_all
from omagen.omage.surface import sample_surface
from omagen.omage.surface_normals import corner_normals, face_normals
from omagen.omage.surface_points import interpolate
from omagen.protocol import ErrorCode, OmagenError
from omagen.shapes import Material, Mesh, Picture, Texture
from omagen.texturing.evening import gains
from omagen.texturing.filling import diffused
from omagen.texturing.fitting import opposite
from omagen.texturing.settings import Unseen
from omagen.texturing.views import Sight, View

NODES: Final = 60_000
"""Texels between which colours spread to where nothing is seen"""
PART: Final = 2**18
SEEN: Final = 0.5
"""Trust from which the report calls a point seen"""
Progress = Callable[[str, float], None]


def project_pictures(
    mesh: Mesh,
    pictures: Sequence[tuple[Picture, Camera]],
    size: int,
    progress: Progress = lambda stage, fraction: None,
    *,
    unseen: Unseen = "fill",
    sharpness: float = 4.0,
    margin: int | None = None,
) -> tuple[Mesh, dict[str, Any]]:
    """`mesh` with the colours of `pictures`, and a report in plain JSON.

    Only base colours change: each material gets a texture of `size` x `size` texels on the UVs that the mesh has;
    vertices, faces, UVs, normals and all other maps stay bit for bit. Vertex colours, which would tint the textures,
    go. What is partly transparent in a picture lets through what is there without it, and what `mesh.region` excludes
    keeps its colours.

    `unseen`: what becomes of what no picture shows: `fill` continues the colours around it along the surface, `mirror`
    lets the pictures shine through to the other side and fills the rest, `keep` leaves the colours of the mesh.
    `sharpness`: the power of the weights by which pictures are blended; large values make each point one picture's.
    `margin` as for `bake`. The report: `seen`, the share of the surface that pictures show; for each picture, its share
    and the factors that were evened out; `overlap`, the share of texels that several faces share.

    Raises `OmagenError`: input without pictures or for a size that does not exist, geometry for a mesh without UVs,
    cancelled from `progress`.
    """
    if not pictures:
        raise OmagenError(ErrorCode.INPUT, "There is no picture to project.", "Choose at least one.")
    progress("Laying out", 0.0)
    sheets = _sheets(mesh, size)
    caster = RayCaster(mesh.vertices, mesh.faces)
    progress("Looking for outlines", 0.05)
    views = [View(mesh, caster, *pair) for pair in pictures]
    through = [View(mesh, caster, *opposite(mesh, *pair)) for pair in pictures] if unseen == "mirror" else []
    projection = _Projection(views, through, sharpness)
    nodes = [sheet.nodes(len(sheets)) for sheet in sheets]
    progress("Comparing the pictures", 0.1)
    projection.even_out([sheet.texels.part(chosen) for sheet, chosen in zip(sheets, nodes, strict=True)])
    fill = None
    if unseen != "keep":
        progress("Continuing the colours", 0.2)
        fill = _fill(projection, sheets, nodes)
    materials, done = list(mesh.materials or (Material(mesh.name),)), 0
    total = sum(len(sheet.texels.pixel) for sheet in sheets)
    for number, sheet in enumerate(sheets):
        color = np.empty((len(sheet.texels.pixel), 3), np.float32)
        for begin in range(0, len(color), PART):
            progress("Projecting", 0.4 + 0.5 * (done / total))
            part = slice(begin, begin + PART)
            color[part] = projection.final(sheet, part, None if fill is None else fill[number])
            done += len(color[part])
        progress("Writing the textures", 0.9 + 0.1 * number / len(sheets))
        materials[sheet.material] = sheet.painted(materials[sheet.material], color, margin)
    report = projection.report() | {"size": size, "overlap": _overlap(sheets)}
    progress("Done", 1.0)
    return replace(mesh, materials=tuple(materials), colors=None), report


class _Sheet:
    """The texture of one material."""

    def __init__(self, mesh: Mesh, material: int, faces: np.ndarray, size: int) -> None:
        """`faces` (n,): those of `mesh` that have the material; `mesh` has normals."""
        assert mesh.normals is not None
        own = (mesh.materials or (Material(mesh.name),))[material]
        self.material, self.size = material, size
        self._mesh = replace(
            mesh,
            faces=mesh.faces[faces],
            uv=None if mesh.uv is None else mesh.uv[faces],
            second_uv=None if mesh.second_uv is None else mesh.second_uv[faces],
            normals=np.ascontiguousarray(mesh.normals[faces]),
            materials=(own,),
            material_index=None,
        )
        self._layout = TexelLayout(self._mesh, size)
        sets = list(self._layout.samples(1))
        joined = Samples(*(np.concatenate([getattr(s, name) for s in sets]) for name in ("pixel", "face", "bary")))
        self._face, self._bary = joined.face, joined.bary
        pitch = 1 / np.maximum(density(self._layout.pixel_uv, mesh.vertices, self._mesh.faces), 1e-12)
        self.texels = SurfaceTexels(
            joined.pixel,
            self._layout.positions(joined),
            interpolated_normals(self._mesh.normals, joined.face, joined.bary),  # type: ignore[arg-type]
            face_normals(self._mesh)[joined.face],
            pitch[joined.face].astype(np.float32),
        )
        self.region = None
        """(N,) float32, 0 to 1, how much texels take part; None: all"""
        if mesh.region is not None:
            values = np.ascontiguousarray(mesh.region[:, None], np.float32)
            self.region = interpolate(values, self._mesh.faces, joined.face, joined.bary)[:, 0].clip(0, 1)
        self.stride = 1

    def nodes(self, sheets: int) -> np.ndarray:
        """Indices of the texels that stand for all."""
        count = len(self.texels.pixel)
        while count > NODES // sheets * self.stride**2:
            self.stride += 1
        return np.arange(count) if self.stride == 1 else thinned(self.texels.pixel, self.size, self.stride)

    def own_color(self, part: slice) -> np.ndarray:
        """(n, 3) float32, linear: what the material says itself."""
        return self._surface(part).albedo

    def overlapping(self) -> tuple[int, int]:
        """Texels that more than one face covers, and all that any covers."""
        count = self._layout.cover_count()
        return int((count > 1).sum()), int((count > 0).sum())

    def painted(self, material: Material, color: np.ndarray, margin: int | None) -> Material:
        """`material` with `color` (N, 3), linear, as its base colour, and its own opacity."""
        size, at = self.size, self.texels.pixel
        covered = np.zeros(size * size, bool)
        covered[at] = True
        planes = [np.zeros((size * size, 3), np.float32)]
        planes[0][at] = color
        if material.alpha_mode != "OPAQUE":
            planes.append(np.zeros((size * size, 1), np.float32))
            planes[1][at, 0] = self._surface(slice(None)).opacity
        dilate_all([plane.reshape(size, size, -1) for plane in planes], covered.reshape(size, size), margin)
        pixels = srgb_bytes(planes[0])
        if len(planes) > 1:
            pixels = np.concatenate([pixels, np.round(planes[1] * 255).astype(np.uint8)], axis=1)
        upright = np.ascontiguousarray(pixels.reshape(size, size, -1)[::-1])
        texture = Texture(upright, self._layout.wrap, self._layout.wrap)
        return replace(material, base_color=(1.0, 1.0, 1.0, 1.0), base_color_texture=texture)

    def _surface(self, part: slice):
        return sample_surface(self._mesh, self._face[part], self._bary[part], self._layout.pixel_uv)


@dataclass
class _Tally:
    """Areas in square metres."""

    all: float = 0.0
    seen: float = 0.0


class _Projection:
    """The pictures on the surface."""

    def __init__(self, views: Sequence[View], through: Sequence[View], sharpness: float) -> None:
        self._views, self._through, self._sharpness = views, through, sharpness
        self._gains = np.ones((len(views), 3))
        self._tally, self._shares = _Tally(), np.zeros(len(views))

    def even_out(self, texels: Sequence[SurfaceTexels]) -> None:
        """Find the factors of the pictures by what several of them show."""
        if len(self._views) < 2:
            return
        each = [[view.look(part) for part in texels] for view in self._views]
        self._gains = gains([_joined(sights) for sights in each])

    def observed(self, texels: SurfaceTexels, *, counts: bool = False) -> tuple[np.ndarray, np.ndarray]:
        """(n, 3) linear colours of `texels` and how much they count, (n,) 0 to 1; `counts`: towards the report."""
        sights = [view.look(texels) for view in self._views]
        color, trust = _blended(sights, self._gains, self._sharpness)
        if counts:
            area = texels.pitch.astype(np.float64) ** 2
            self._tally.all += float(area.sum())
            self._tally.seen += float(area[np.max([sight.trust for sight in sights], axis=0) > SEEN].sum())
            self._shares += [float(area[sight.trust > SEEN].sum()) for sight in sights]
        if self._through:
            behind, less = _blended([view.look(texels) for view in self._through], self._gains, self._sharpness)
            less = (1 - trust) * less
            both = trust + less
            color = (trust[:, None] * color + less[:, None] * behind) / np.maximum(both, 1e-6)[:, None]
            trust = both
        return color, trust

    def final(self, sheet: _Sheet, part: slice, fill: tuple[np.ndarray, np.ndarray] | None) -> np.ndarray:
        """(n, 3) linear colours of a part of a sheet; `fill`: nodes and their colours, None for the mesh's own."""
        texels = sheet.texels
        count = len(texels.pixel)
        color, trust = self.observed(texels.part(part), counts=True)
        rest = np.flatnonzero(trust < 1)
        under = np.zeros_like(color)
        if fill is None:
            under = sheet.own_color(part)
        else:
            under[rest] = _handed_on(texels, *fill, np.arange(count)[part][rest], sheet)
        color = trust[:, None] * color + (1 - trust[:, None]) * under
        if sheet.region is None:
            return color
        share = sheet.region[part, None]
        return share * color + (1 - share) * sheet.own_color(part)

    def report(self) -> dict[str, Any]:
        total = max(self._tally.all, 1e-300)
        return {
            "seen": round(self._tally.seen / total, 4),
            "unseen": round(1 - self._tally.seen / total, 4),
            "pictures": [
                {"seen": round(float(share / total), 4), "gain": [round(float(g), 4) for g in gain]}
                for share, gain in zip(self._shares, self._gains, strict=True)
            ],
        }


def _sheets(mesh: Mesh, size: int) -> list[_Sheet]:
    mesh = replace(mesh, normals=corner_normals(mesh))
    if mesh.material_index is None or len(mesh.materials) < 2:
        return [_Sheet(mesh, 0, np.arange(len(mesh.faces)), size)]
    used = np.unique(mesh.material_index)
    return [_Sheet(mesh, int(number), np.flatnonzero(mesh.material_index == number), size) for number in used]


def _overlap(sheets: Sequence[_Sheet]) -> float:
    shared, covered = np.sum([sheet.overlapping() for sheet in sheets], axis=0)
    return round(float(shared / max(covered, 1)), 4)


def _fill(
    projection: _Projection, sheets: Sequence[_Sheet], nodes: Sequence[np.ndarray]
) -> list[tuple[np.ndarray, np.ndarray]]:
    """For each sheet its nodes and colours for them, continued from what is seen."""
    parts = [sheet.texels.part(chosen) for sheet, chosen in zip(sheets, nodes, strict=True)]
    observed = [projection.observed(part) for part in parts]
    colors = diffused(
        np.concatenate([part.position for part in parts]),
        np.concatenate([part.normal for part in parts]),
        np.concatenate([color for color, _ in observed]),
        np.concatenate([trust for _, trust in observed]),
    )
    ends = np.cumsum([len(chosen) for chosen in nodes])
    return list(zip(nodes, np.split(colors, ends[:-1]), strict=True))


def _handed_on(
    texels: SurfaceTexels, nodes: np.ndarray, colors: np.ndarray, others: np.ndarray, sheet: _Sheet
) -> np.ndarray:
    """(k, 3): what `nodes` with `colors` say about the texels `others`; where none is near enough, the nearest."""
    from scipy.spatial import KDTree

    found, near = spread(texels, nodes, colors, others, sheet.size, sheet.stride)
    if not near.all():
        far = others[~near]
        found[~near] = colors[KDTree(texels.position[nodes]).query(texels.position[far])[1]]
    return found


def _blended(sights: Sequence[Sight], factors: np.ndarray, sharpness: float) -> tuple[np.ndarray, np.ndarray]:
    """(n, 3) colours and (n,) how much they count, of several pictures."""
    best = np.max([sight.weight for sight in sights], axis=0)
    color, solid, total = np.zeros((len(best), 3)), np.zeros(len(best)), np.zeros(len(best))
    for sight, factor in zip(sights, factors, strict=True):
        share = np.where(best > 0, sight.weight / np.where(best > 0, best, 1), 0) ** sharpness * sight.trust
        total += share
        solid += share * sight.opacity
        color += (share * sight.opacity)[:, None] * sight.color * factor
    trust = np.max([sight.trust for sight in sights], axis=0) * solid / np.maximum(total, 1e-12)
    color /= np.maximum(solid, 1e-12)[:, None]
    return color.clip(0, 1).astype(np.float32), trust.astype(np.float32)


def _joined(sights: Sequence[Sight]) -> Sight:
    return Sight(*(np.concatenate([getattr(s, name) for s in sights]) for name in Sight.__annotations__))
