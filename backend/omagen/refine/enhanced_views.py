"""From a mesh to views of its normals that the installed image models have put detail into."""

from __future__ import annotations

from typing import Any

from omagen.geometry.cameras import view_set
from omagen.refine.close_up import close_up
from omagen.refine.enhancer import ProgressCall
from omagen.refine.enhancer_pipeline import enhance_by_diffusion
from omagen.refine.enhancer_settings import EnhancerSettings
from omagen.refine.views import ViewNormals, render_normals
from omagen.shapes import Mesh


def enhanced_views(
    mesh: Mesh, count: int, size: int, settings: EnhancerSettings, progress: ProgressCall, device: str = "cpu"
) -> tuple[list[ViewNormals], dict[str, Any]]:
    """`count` views of `size` pixels around `mesh`, each as large as it goes; and a report: plain JSON.

    Raises `OmagenError`: see `enhance_by_diffusion`.
    """
    progress("Drawing normals", 0.0)
    views = render_normals(mesh, [close_up(mesh, camera) for camera in view_set(mesh, count)], size)
    return enhance_by_diffusion(mesh, views, settings, progress, device)
