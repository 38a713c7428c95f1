"""What the engine `refine` offers of the view enhancer: normals of views that an image model has put detail into."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from omagen.protocol import Choice, InputKind, InputSpec, Parameter, ParameterKind

if TYPE_CHECKING:
    from omagen.refine.targets import NormalSource
    from omagen.shapes import Mesh

GROUP: Final = "Diffusion"
KEEP_LARGER: Final = 0.1
"""Share of the size: only detail is taken from generated normals, so larger shapes are held, unless told otherwise"""
UNVERIFIED: Final = (
    "Detail by Stable Diffusion 1.5 is unverified: no weights could be run where this was made, and the model was not "
    "trained on normal maps."
)

INPUTS: Final = (
    InputSpec("prompt", InputKind.TEXT, "Detail in words", "For example cracked stone, or scales", False, GROUP),
    InputSpec("reference", InputKind.IMAGE, "A reference picture", "What the object looks like", False, GROUP),
)
PARAMETERS: Final = (
    Parameter(
        "diffusion", ParameterKind.BOOL, "Detail by diffusion", False, group=GROUP,
        description=f"Draws detail into views of the mesh's normals. {UNVERIFIED} It takes 10 GB of memory.",
    ),
    Parameter(
        "diffusion_views", ParameterKind.INT, "Views", 6, minimum=1, maximum=12, group=GROUP,
        description="Pictures from around the object.",
    ),
    Parameter(
        "diffusion_size", ParameterKind.INT, "View size", 512, minimum=64, maximum=1024, group=GROUP,
        description="Pixels a side of a view; the model is made for 512.",
    ),
    Parameter(
        "diffusion_strength", ParameterKind.FLOAT, "Change", 0.4, minimum=0.05, maximum=1.0, group=GROUP,
        description="How much the model may change a picture: 0.3 to 0.5 keeps its shapes.",
    ),
    Parameter(
        "diffusion_steps", ParameterKind.INT, "Steps", 25, minimum=1, maximum=100, group=GROUP,
        description="More take longer; as many as the change's share of them are done.",
    ),
    Parameter(
        "diffusion_guidance", ParameterKind.FLOAT, "Guidance", 6.0, minimum=1.0, maximum=20.0, group=GROUP,
        description="How closely the words are followed.",
    ),
    Parameter(
        "diffusion_control", ParameterKind.BOOL, "Hold by ControlNet", True, group=GROUP,
        description="ControlNet Tile holds the picture in place; without it, plain image to image.",
    ),
    Parameter(
        "diffusion_consistency", ParameterKind.CHOICE, "Agreement", "grid", group=GROUP,
        choices=(
            Choice("grid", "Sheets", "Four views are drawn as one picture; later sheets keep what earlier ones drew"),
            Choice("sequential", "One by one", "Each view keeps what earlier ones drew; needs least memory"),
        ),
        description="How views come to agree.",
    ),
)  # fmt: skip


def diffusion_source(
    mesh: Mesh,
    values: Mapping[str, Any],
    prompt: str,
    reference: Path | None,
    seed: int,
    device: str,
    progress: Callable[[str, float], None],
) -> tuple[NormalSource, dict[str, Any]]:
    """Views of `mesh` with detail, as a source of normals, and a report. `values` are those of `PARAMETERS`.

    Raises `OmagenError`: model with what to download, cancelled from `progress`, and others of the enhancer.
    """
    import numpy as np

    from omagen.io.images import read_picture
    from omagen.refine.enhanced_views import enhanced_views
    from omagen.refine.enhancer_settings import PROMPT, EnhancerSettings
    from omagen.refine.views import ViewSource

    picture = None if reference is None else np.ascontiguousarray(read_picture(reference).rgba[..., :3])
    settings = EnhancerSettings(
        prompt=f"{prompt}, {PROMPT}" if prompt.strip() else PROMPT,
        strength=values["diffusion_strength"],
        steps=values["diffusion_steps"],
        guidance=values["diffusion_guidance"],
        control=values["diffusion_control"],
        consistency=values["diffusion_consistency"],
        seed=seed,
        reference=picture,
    )
    views, report = enhanced_views(
        mesh, values["diffusion_views"], values["diffusion_size"], settings, progress, device
    )
    return ViewSource(views), report
