"""Lets an image model put detail into rendered normals, view by view, so that the views agree.

Views go through the model in batches: four on a sheet, or one at a time. What earlier batches decided is brought into
the later ones through depth and kept there (compare Richardson et al., "TEXTure", 2023, which does so with colours).
Only detail is taken from what comes back (`relative_update`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

import cv2
import numpy as np

from omagen.geometry.view_raster import rasterize_view
from omagen.protocol import ErrorCode, OmagenError
from omagen.refine import view_sheet
from omagen.refine.enhancer_settings import EnhancerSettings
from omagen.refine.normal_pictures import BACKGROUND, decode, encode, unit
from omagen.refine.relative_update import relative_update
from omagen.refine.view_transfer import SeenSurface, Transferred, disagreement, transfer
from omagen.refine.views import ViewNormals
from omagen.shapes import Mesh

ProgressCall = Callable[[str, float], None]

DECIDED: Final = 0.95
"""Share from which a pixel is not generated again"""
LEAST: Final = 0.51
"""Mask of pixels of the object whose generated normal was rejected: they stay part of its outline"""
FEATHER: Final = 16 / 512
"""Of a picture's height: how far inside a painted region the change fades in"""


class PictureEnhancer(Protocol):
    """An image model, or what stands in for one."""

    def __call__(
        self,
        picture: np.ndarray,
        control: np.ndarray,
        region: np.ndarray | None,
        seed: int,
        progress: Callable[[float], None],
    ) -> np.ndarray:
        """(H, W, 3) float32, 0 to 1: `picture` (H, W, 3) with more detail, where `control` (H, W, 3) holds its shape.

        `region` (H, W) float32: only where it is 1 the picture is made anew. `progress` takes 0 to 1 and raises
        `OmagenError` (cancelled).
        """
        ...


@dataclass(frozen=True)
class _Found:
    normal: np.ndarray
    """(H, W, 3) float32"""
    sure: np.ndarray
    """(H, W) float32, 0 to 1; 0 where the normal is the mesh's own"""


@dataclass(frozen=True)
class _Prepared:
    """A view with what earlier ones decided about it."""

    view: ViewNormals
    surface: SeenSurface
    earlier: Transferred

    @property
    def start(self) -> np.ndarray:
        """(H, W, 3) the view's own normals, and the decided ones where there are some"""
        share = self.earlier.share[..., None]
        return unit((1 - share) * self.view.normal + share * self.earlier.normal).astype(np.float32)


def enhance_views(
    mesh: Mesh,
    views: Sequence[ViewNormals],
    enhance: PictureEnhancer,
    settings: EnhancerSettings,
    progress: ProgressCall,
) -> tuple[list[ViewNormals], dict[str, Any]]:
    """`views` of `mesh`, rendered from it, with detail by `enhance`; and what became of it, plain JSON.

    The masks become how far each normal is believed: `LEAST` where it was rejected and is the mesh's own. What
    `mesh.region` excludes stays; views that show none of the region are left out. All views have one size. Raises
    `OmagenError`: input where they do not or where nothing of the region is seen, cancelled, or what `enhance` raises.
    """
    if len({view.mask.shape for view in views}) > 1:
        raise OmagenError(ErrorCode.INPUT, "The views have different sizes.", "Render them all at one size.")
    views = [view for view in views if mesh.region is None or _region(mesh, view).any()]
    if not views:
        raise OmagenError(
            ErrorCode.INPUT, "No view shows anything of the region.", "Choose a larger region or more views."
        )
    surfaces = [SeenSurface.of(mesh, view) for view in views]
    done: list[ViewNormals] = []
    decided: list[ViewNormals] = []
    size = view_sheet.SHEET if settings.consistency == "grid" else 1
    for first in range(0, len(views), size):
        batch = list(zip(views, surfaces, strict=True))[first : first + size]
        stage = f"Enhancing view {first + 1}" + (f" to {first + len(batch)}" if size > 1 else "") + f" of {len(views)}"

        def report(fraction: float, first=first, batch=batch, stage=stage) -> None:
            progress(stage, (first + fraction * len(batch)) / len(views))

        report(0.0)
        prepared = [_Prepared(v, s, _settled(mesh, v, transfer(decided, surfaces[:first], v, s))) for v, s in batch]
        found = _enhanced(prepared, enhance, settings, settings.seed + first, report)
        # what was rejected here, a later view may still decide
        decided += [replace(p.view, normal=f.normal, mask=f.sure) for p, f in zip(prepared, found, strict=True)]
        done += [_with_outline(p.view, f) for p, f in zip(prepared, found, strict=True)]
    progress("Comparing views", 1.0)
    return done, _report(mesh, views, done)


def _region(mesh: Mesh, view: ViewNormals) -> np.ndarray:
    """(H, W) float32: how far what `view` shows takes part; 0 in the background."""
    height, width = view.mask.shape
    raster = rasterize_view(mesh.vertices, mesh.faces, view.camera, width, height)
    seen = raster.face >= 0
    shares = np.ones(len(mesh.vertices), np.float32) if mesh.region is None else mesh.region
    result = np.zeros(seen.shape, np.float32)
    result[seen] = (raster.barycentric[seen] * shares[mesh.faces[raster.face[seen]]]).sum(1)
    return result


def _settled(mesh: Mesh, view: ViewNormals, earlier: Transferred) -> Transferred:
    """`earlier`, and outside of the mesh's region the view's own normals, which are settled too."""
    if mesh.region is None:
        return earlier
    region = _region(mesh, view)
    share = region * earlier.share
    kept = np.where(view.mask > 0, 1 - region, 0)
    normal = unit(share[..., None] * earlier.normal + kept[..., None] * view.normal)
    return Transferred(normal.astype(np.float32), (share + kept).astype(np.float32))


def _enhanced(
    batch: Sequence[_Prepared],
    enhance: PictureEnhancer,
    settings: EnhancerSettings,
    seed: int,
    report: Callable[[float], None],
) -> list[_Found]:
    free = [(p.earlier.share < DECIDED) & p.surface.seen for p in batch]
    if not any(f.any() for f in free):
        return [_Found(p.start, p.earlier.share) for p in batch]
    pictures = view_sheet.join([encode(p.start, p.view.mask) for p in batch], BACKGROUND)
    control = view_sheet.join([encode(p.view.normal, p.view.mask) for p in batch], BACKGROUND)
    region = None
    if any(p.earlier.share.any() for p in batch):
        region = view_sheet.join([1 - p.earlier.share for p in batch], 1.0)
    shape = batch[0].view.mask.shape
    drawn = view_sheet.split(enhance(pictures, control, region, seed, report), len(batch), (shape[0], shape[1]))
    return [_updated(p, picture, settings) for p, picture in zip(batch, drawn, strict=True)]


def _updated(prepared: _Prepared, picture: np.ndarray, settings: EnhancerSettings) -> _Found:
    view, earlier = prepared.view, prepared.earlier
    generated, length = decode(picture)
    normal, believed = relative_update(
        view.normal,
        generated,
        view.mask > 0,
        sigma=max(0.5, settings.detail_size * view.mask.shape[0]),
        max_angle=settings.max_angle,
        length=length,
    )
    share = earlier.share
    mixed = unit((1 - share[..., None]) * normal + share[..., None] * earlier.normal)
    normal = np.where((share > 0)[..., None], mixed, normal).astype(np.float32)
    return _Found(normal, np.maximum(believed, share).astype(np.float32))


def _with_outline(view: ViewNormals, found: _Found) -> ViewNormals:
    """`view` with what was found; pixels that are not sure stay part of the object's outline."""
    mask = view.mask * (LEAST + (1 - LEAST) * found.sure)
    return replace(view, normal=found.normal, mask=mask.astype(np.float32))


def _report(mesh: Mesh, before: Sequence[ViewNormals], after: Sequence[ViewNormals]) -> dict[str, Any]:
    change, rejected, pixels = 0.0, 0, 0
    for old, new in zip(before, after, strict=True):
        inside = old.mask > 0
        cosine = np.clip((old.normal[inside] * new.normal[inside]).sum(-1), -1, 1)
        change += float(np.degrees(np.arccos(cosine)).sum())
        rejected += int((new.mask[inside] <= LEAST * old.mask[inside]).sum())
        pixels += int(inside.sum())
    return {
        "views": len(after),
        "mean_change_degrees": round(change / max(pixels, 1), 3),
        "rejected_share": round(rejected / max(pixels, 1), 4),
        "disagreement_degrees": round(disagreement(mesh, after), 3),
    }


def enhance_region(
    view: ViewNormals,
    region: np.ndarray,
    enhance: PictureEnhancer,
    settings: EnhancerSettings,
    progress: ProgressCall,
) -> ViewNormals:
    """`view` with detail by `enhance` in a painted `region` (H, W), bool or 0 to 1, fading in from its border.

    Normals and mask outside of the region keep their bits. Raises `OmagenError`: input for a region of another size or
    without any of the object, cancelled, or what `enhance` raises.
    """
    if region.shape != view.mask.shape:
        raise OmagenError(
            ErrorCode.INPUT,
            f"The painted region has {region.shape[1]}x{region.shape[0]} pixels, the view {view.mask.shape[1]}x"
            f"{view.mask.shape[0]}.",
            "Paint on a picture of the view's size.",
        )
    painted = np.asarray(region, np.float32)
    inside = (painted > 0) & (view.mask > 0)
    if not inside.any():
        raise OmagenError(ErrorCode.INPUT, "Nothing of the object is in the painted region.", "Paint on the object.")
    height = view.mask.shape[0]
    control = encode(view.normal, view.mask)
    free = (painted > 0).astype(np.float32)
    picture = enhance(control, control, free, settings.seed, lambda f: progress("Enhancing the region", f))
    generated, length = decode(picture)
    normal, believed = relative_update(
        view.normal,
        generated,
        inside,
        sigma=max(0.5, settings.detail_size * height),
        max_angle=settings.max_angle,
        length=length,
    )
    kept = (view.mask > 0) & ~inside
    fade = np.clip(painted, 0, 1)
    if kept.any():
        distance = cv2.distanceTransform((~kept).astype(np.uint8), cv2.DIST_L2, 5) - 0.5
        t = np.clip(distance / (FEATHER * height), 0, 1)
        fade = fade * t * t * (3 - 2 * t)
    blended = unit(view.normal + fade[..., None] * (normal - view.normal))
    result, mask = view.normal.copy(), view.mask.copy()
    result[inside] = blended[inside]
    mask[inside] = _with_outline(view, _Found(normal, believed)).mask[inside]
    return replace(view, normal=result, mask=mask)
