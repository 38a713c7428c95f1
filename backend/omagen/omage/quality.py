"""How good an omage is: what encoding can always afford to say, and the full comparison after a round trip."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from omagen.geometry.cleaning import weld_vertices
from omagen.geometry.color import to_srgb
from omagen.geometry.components import face_components
from omagen.geometry.distance import Nearest, SurfaceTree, diagonal, distance_summary
from omagen.geometry.quality import is_degenerate
from omagen.geometry.sampling import SurfacePoints, barycentric, face_areas, face_normals, sample_each, sample_points
from omagen.geometry.topology import borders, half_edges, proper_faces, without_flaps
from omagen.omage.patches import chart_labels
from omagen.omage.texels import surviving_charts, texel_shapes
from omagen.shapes import Mesh, Omage

if TYPE_CHECKING:
    from omagen.omage.atlas import Atlas

SAMPLES: Final = 100_000
"""Points on each surface between which distances are measured."""
QUICK_SAMPLES: Final = 20_000
ATTRIBUTE_SAMPLES: Final = 20_000
COMPONENT_SAMPLES: Final = 24
"""Points on each component, by which it counts as kept or lost."""
KEPT_SHARE: Final = 0.1
"""A component is lost when less than this share of its points is found on the decoded surface."""
KEPT_DISTANCE: Final = 0.25
"""… that is, nearer than this, relative to the component's own diagonal, on a surface that looks the same way."""


def encode_report(omage: Omage, drawn: Atlas, cut: Atlas | None = None) -> dict[str, Any]:
    """Plain JSON at the cost of a few passes over the picture: see `layout_report`, and what became of the components.

    components (of the mesh, connected through welded edges), lost_components (none of their charts will decode to a
    triangle), lost_charts. `drawn` is what the omage was drawn from, its chart numbers those of `omage.chart`; `cut`
    the atlas before anything was given up, by default the same.
    """
    cut = cut or drawn
    assert omage.chart is not None and omage.seam is not None
    survives = surviving_charts(omage.chart, omage.seam, drawn.charts)
    component = face_components(cut.faces)
    count = int(component.max(initial=-1)) + 1
    of_source = np.zeros(int(cut.source_face.max(initial=-1)) + 1, np.int32)
    of_source[cut.source_face] = component
    is_kept = np.zeros(count, bool)
    is_kept[of_source[drawn.source_face[survives[drawn.chart]]]] = True
    return layout_report(omage) | {
        "charts": drawn.charts,
        "lost_charts": int((~survives).sum()),
        "components": count,
        "lost_components": int((~is_kept).sum()),
    }


def layout_report(omage: Omage) -> dict[str, Any]:
    """How an omage uses its pixels, as plain JSON.

    resolution, occupancy (share of the pixels), texel_density (pixels per metre: median, and the ratio of the 95th to
    the 5th percentile), stretch (mean ratio of the singular values by area, 1 = conformal); the last two None where no
    chart has a pixel beside and one above another.
    """
    area, stretch = texel_shapes(omage.position, chart_labels(omage))
    report: dict[str, Any] = {
        "resolution": omage.resolution,
        "occupancy": float(np.count_nonzero(omage.occupancy)) / omage.occupancy.size,
        "texel_density": None,
        "stretch": None,
    }
    is_solid = area > 0
    if is_solid.any():
        area, stretch = area[is_solid], stretch[is_solid]
        low, middle, high = (1 / np.sqrt(np.quantile(area, [0.95, 0.5, 0.05]))).tolist()
        report["texel_density"] = {"median": middle / max(omage.scale, 1e-30), "ratio": high / low}
        report["stretch"] = float(np.average(stretch, weights=area))
    return report


def fidelity(source: Mesh, omage: Omage, drawn: Atlas, samples: int = QUICK_SAMPLES) -> dict[str, float]:
    """What the round trip costs in two numbers, relative to the diagonal of `source`, within a second or two.

    chamfer: the mean distance between the surfaces, both ways; seam_gap: the mean distance of the seams of `drawn`, the
    atlas as it was laid out, from the decoded surface.
    """
    from omagen.omage.decode import decode

    decoded, _ = decode(omage, normals=False)
    size = diagonal(source.vertices, source.faces)
    tree = SurfaceTree(decoded.vertices, decoded.faces)
    there = tree.nearest(sample_points(source.vertices, source.faces, samples).position).distance
    back = sample_points(decoded.vertices, decoded.faces, samples).position
    here = SurfaceTree(source.vertices, source.faces).nearest(back).distance
    seams = seam_midpoints(drawn)
    gap = tree.nearest(seams[:: max(len(seams) // samples, 1)]).distance.mean() if len(seams) else 0.0
    return {"chamfer": float(there.mean() + here.mean()) / 2 / size, "seam_gap": float(gap) / size}


def roundtrip_quality(
    source: Mesh,
    omage: Omage,
    decoded: Mesh,
    *,
    seam_points: np.ndarray | None = None,
    samples: int = SAMPLES,
    seed: int = 0,
) -> dict[str, Any]:
    """Everything that can be said about `decoded`, made from `omage`, made from `source`; both meshes in one frame.

    Plain JSON: what `layout_report` says; the distances of `geometry.distance.surface_distance`, relative to the
    diagonal of the source; `seam_gap` {mean, max}: how far `seam_points` (N, 3), see `seam_midpoints`, are from the
    decoded surface, relative to the diagonal (None without points); `source` and `decoded`: open_edges,
    boundary_loops, boundary_length (relative), non_manifold_edges, components (of the source after welding equal
    positions and dropping what is there twice or has no area); `lost_components` of the source; `attributes`, see
    `_attribute_errors`.
    """
    surface, kept = _surface_of(source)
    tree = SurfaceTree(decoded.vertices, decoded.faces)
    size = diagonal(surface.vertices, surface.faces)
    points = sample_points(surface.vertices, surface.faces, samples, seed)
    there = tree.nearest(points.position)
    back = sample_points(decoded.vertices, decoded.faces, samples, seed)
    here = SurfaceTree(surface.vertices, surface.faces).nearest(back.position)
    areas = [float(face_areas(mesh.vertices, mesh.faces).sum()) for mesh in (surface, decoded)]
    return {
        **layout_report(omage),
        **distance_summary(there.distance / size, here.distance / size),
        "area_ratio": areas[1] / areas[0],
        "seam_gap": _seam_gap(tree, seam_points, size),
        "source": _topology(surface, size),
        "decoded": _topology(decoded, size),
        "lost_components": _count_lost(surface, decoded, tree, seed),
        "attributes": _attribute_errors(source, omage, decoded, replace(points, face=kept[points.face]), there),
    }


def _surface_of(source: Mesh) -> tuple[Mesh, np.ndarray]:
    """`source` welded, each face once, without flaps of no area; and which face of the source each face is."""
    welded = weld_vertices(Mesh(source.vertices, source.faces))
    kept = proper_faces(welded.faces)
    kept = kept[without_flaps(welded.faces[kept], is_degenerate(welded.vertices, welded.faces[kept]))]
    return Mesh(welded.vertices, welded.faces[kept]), kept


def seam_midpoints(atlas: Atlas) -> np.ndarray:
    """(N, 3) float64: the middles of the edges where two faces meet that are not neighbours in the flat charts."""
    edges, order = half_edges(atlas.faces)
    pair = np.flatnonzero(edges[1:] == edges[:-1])
    one, other = order[pair], order[pair + 1]
    uv = atlas.uv.reshape(-1, 2)
    following = np.arange(len(uv)).reshape(-1, 3)[:, [1, 2, 0]].reshape(-1)
    corners = atlas.faces.reshape(-1)
    turned = corners[one] == corners[following[other]]  # as on a manifold: each runs against the other
    start = np.where(turned, following[other], other)
    end = np.where(turned, other, following[other])
    is_inner = (uv[one] == uv[start]).all(1) & (uv[following[one]] == uv[end]).all(1)
    is_inner &= atlas.chart[one // 3] == atlas.chart[other // 3]
    seam = np.unique(edges[pair[~is_inner]])
    ends = np.stack([seam >> np.uint64(32), seam & np.uint64(0xFFFFFFFF)]).astype(np.int64)
    return atlas.vertices[ends].astype(np.float64).mean(axis=0)


def _seam_gap(tree: SurfaceTree, points: np.ndarray | None, size: float) -> dict[str, float] | None:
    if points is None:
        return None
    gaps = tree.nearest(points).distance / size if len(points) else np.zeros(1)
    return {"mean": float(gaps.mean()), "max": float(gaps.max())}


def _topology(mesh: Mesh, size: float) -> dict[str, Any]:
    found = borders(mesh.faces)
    lengths = np.linalg.norm(np.diff(mesh.vertices[found.open_edges].astype(np.float64), axis=1), axis=-1)
    return {
        "open_edges": len(found.open_edges),
        "boundary_loops": found.boundary_loops,
        "boundary_length": float(lengths.sum()) / size,
        "non_manifold_edges": len(found.non_manifold_edges),
        "components": int(face_components(mesh.faces).max(initial=-1)) + 1,
    }


def _count_lost(surface: Mesh, decoded: Mesh, tree: SurfaceTree, seed: int) -> int:
    """How many components of `surface` are hardly anywhere on the decoded surface."""
    component = face_components(surface.faces)
    count = int(component.max()) + 1
    low, high = np.full((count, 3), np.inf), np.full((count, 3), -np.inf)
    for corner in range(3):
        position = surface.vertices[surface.faces[:, corner]].astype(np.float64)
        np.minimum.at(low, component, position)
        np.maximum.at(high, component, position)
    size = np.linalg.norm(high - low, axis=1)
    points = sample_each(surface.vertices, surface.faces, component, COMPONENT_SAMPLES, seed)
    of = component[points.face]
    found = tree.nearest(points.position)
    here = face_normals(surface.vertices, surface.faces[points.face])
    there = face_normals(decoded.vertices, decoded.faces[found.face])
    is_near = (found.distance <= KEPT_DISTANCE * size[of]) & ((here * there).sum(1) >= 0)
    share = np.bincount(of, is_near, count) / np.bincount(of, minlength=count)
    return int((share < KEPT_SHARE).sum())


def _attribute_errors(
    source: Mesh, omage: Omage, decoded: Mesh, points: SurfacePoints, nearest: Nearest
) -> dict[str, float | None]:
    """Errors of the materials at random points of the source, each against the nearest point of the decoded surface.

    albedo_psnr (dB, of sRGB values 0 to 1, where the surface is not transparent), metalness_rmse, roughness_rmse,
    normal_angle and normal_angle_p95 (degrees between shading normals). The source is filtered over the area of an
    average texel: detail finer than the omage's resolution is no error of the codec.
    """
    from omagen.omage.surface import sample_surface

    chosen = np.linspace(0, len(points.face) - 1, min(ATTRIBUTE_SAMPLES, len(points.face))).astype(np.int64)
    face, bary = points.face[chosen].astype(np.int32), points.bary[chosen].astype(np.float32)
    there = nearest.face[chosen]
    there_bary = barycentric(decoded.vertices, decoded.faces, there, nearest.position[chosen]).astype(np.float32)
    density = np.sqrt(omage.occupancy.sum() / face_areas(source.vertices, source.faces).sum())
    a = sample_surface(source, face, bary, _isometric(source, density))
    assert decoded.uv is not None
    b = sample_surface(decoded, there.astype(np.int32), there_bary, decoded.uv * np.float32(omage.resolution))
    is_seen = a.opacity > 0.05
    albedo = ((to_srgb(a.albedo[is_seen]) - to_srgb(b.albedo[is_seen])) ** 2).mean(dtype=np.float64)
    angle = np.degrees(np.arccos(np.einsum("ij,ij->i", a.normal, b.normal).astype(np.float64).clip(-1, 1)))
    return {
        "albedo_psnr": float(-10 * np.log10(max(albedo, 1e-12))) if is_seen.any() else None,
        "metalness_rmse": float(np.sqrt(((a.metalness - b.metalness) ** 2).mean(dtype=np.float64))),
        "roughness_rmse": float(np.sqrt(((a.roughness - b.roughness) ** 2).mean(dtype=np.float64))),
        "normal_angle": float(angle.mean()),
        "normal_angle_p95": float(np.percentile(angle, 95)),
    }


def _isometric(mesh: Mesh, density: float) -> np.ndarray:
    """(F, 3, 2) float32: each face by itself, flat and undistorted, with `density` pixels to the metre."""
    a, b, c = (mesh.vertices[mesh.faces[:, i]].astype(np.float64) for i in range(3))
    ab, ac = b - a, c - a
    length = np.linalg.norm(ab, axis=1)
    along = ab / np.maximum(length, 1e-30)[:, None]
    x = (ac * along).sum(1)
    y = np.linalg.norm(ac - x[:, None] * along, axis=1)
    zero = np.zeros_like(x)
    corners = np.stack([np.stack([zero, zero], 1), np.stack([length, zero], 1), np.stack([x, y], 1)], 1)
    return (corners * density).astype(np.float32)
