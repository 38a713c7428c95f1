"""The view enhancer's image model: Stable Diffusion image to image, held by ControlNet Tile, through `diffusers`.

Where only a part of a picture is made anew, the inpainting pipelines do it, which put the kept part back at every step.
A model that was not trained on normal maps is used as it is: see docs/refinement.md for what that means.
"""

# pyright: reportPrivateImportUsage=false
# diffusers exports what it has lazily.

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any, Final

import cv2
import numpy as np

from omagen.protocol import ErrorCode, OmagenError
from omagen.refine.enhancer import ProgressCall, enhance_views
from omagen.refine.enhancer_settings import EnhancerSettings
from omagen.refine.enhancer_weights import REFERENCE_FILE, EnhancerNetworks, load_networks
from omagen.refine.normal_pictures import BACKGROUND
from omagen.refine.views import ViewNormals
from omagen.shapes import Mesh

log = logging.getLogger(__name__)

_MULTIPLE: Final = 64
"""Pixels: eight per latent, and what the network halves three times"""
_ROOMY: Final = 8 * 2**30
"""Free bytes from which all stays on the device and attention is done at once"""
_TIGHT: Final = 4 * 2**30
"""Free bytes of a GPU below which networks wait in main memory for their turn"""


def enhance_by_diffusion(
    mesh: Mesh, views: Sequence[ViewNormals], settings: EnhancerSettings, progress: ProgressCall, device: str = "cpu"
) -> tuple[list[ViewNormals], dict[str, Any]]:
    """`views` of `mesh` with detail by the installed models, and a report: plain JSON, licences among it.

    Raises `OmagenError`: see `load_networks`, `DiffusionEnhancer` and `enhance_views`.
    """
    progress("Loading Stable Diffusion", 0.0)
    networks = load_networks(
        control=settings.control, reference=settings.reference is not None, half=device.startswith("cuda")
    )
    enhancer = DiffusionEnhancer(networks, settings, device)
    result, report = enhance_views(mesh, views, enhancer, settings, progress)
    return result, report | {"licences": networks.licences, "trained_on_normals": False}


class DiffusionEnhancer:
    """A `PictureEnhancer`. Deterministic for a seed on one device: noise is drawn on the processor."""

    def __init__(self, networks: EnhancerNetworks, settings: EnhancerSettings, device: str = "cpu") -> None:
        """Puts `networks` on `device`: `cpu`, `mps`, `cuda`, `cuda:1`. Raises `OmagenError` (model, memory)."""
        self._settings = settings
        self._device = device
        self._whole, self._part = _guarded(lambda: _pipelines(networks, settings, device))

    def __call__(
        self,
        picture: np.ndarray,
        control: np.ndarray,
        region: np.ndarray | None,
        seed: int,
        progress: Callable[[float], None],
    ) -> np.ndarray:
        """See `PictureEnhancer`. Pictures of any size; Stable Diffusion 1.5 works best from 512 to 1024 pixels."""
        import torch

        height, width = picture.shape[:2]
        pipeline = self._whole if region is None else self._part
        s = self._settings
        words: dict[str, Any] = {
            "prompt": s.prompt,
            "negative_prompt": s.negative_prompt,
            "image": _padded(picture, BACKGROUND)[None],
            "strength": s.strength,
            "num_inference_steps": s.steps,
            "guidance_scale": s.guidance,
            "generator": torch.Generator("cpu").manual_seed(seed),
            "output_type": "np",
            "callback_on_step_end": _reporting(progress),
        }
        if region is not None:
            words["mask_image"] = _padded(region, 0.0)[None]
            words["height"], words["width"] = words["image"].shape[1:3]
        if s.control:
            words["control_image"] = _padded(control, BACKGROUND)[None]
            words["controlnet_conditioning_scale"] = s.control_scale
        if s.reference is not None:
            from PIL import Image

            words["ip_adapter_image"] = Image.fromarray(s.reference)
        with torch.inference_mode():
            drawn = _guarded(lambda: pipeline(**words).images[0])
        if not np.isfinite(drawn).all() or drawn.shape[0] < height or drawn.shape[1] < width:
            raise OmagenError(
                ErrorCode.MODEL, "The image model returned no picture (not-a-number).", "Try another device or seed."
            )
        return np.ascontiguousarray(drawn[:height, :width], np.float32)


def _pipelines(networks: EnhancerNetworks, settings: EnhancerSettings, device: str) -> tuple[Any, Any]:
    """The pipeline for whole pictures and the one for parts of them, over the same networks."""
    import diffusers

    if settings.control and networks.controlnet is None:
        raise ValueError("the settings ask for a ControlNet and none was loaded")
    parts: dict[str, Any] = {
        "vae": networks.vae,
        "text_encoder": networks.text_encoder,
        "tokenizer": networks.tokenizer,
        "unet": networks.unet,
        "scheduler": networks.scheduler,
        "safety_checker": None,
        "feature_extractor": None,
        "image_encoder": networks.reference_encoder,
    }
    kinds = (diffusers.StableDiffusionImg2ImgPipeline, diffusers.StableDiffusionInpaintPipeline)
    if settings.control:
        parts["controlnet"] = networks.controlnet
        kinds = (diffusers.StableDiffusionControlNetImg2ImgPipeline, diffusers.StableDiffusionControlNetInpaintPipeline)
    whole = kinds[0](**parts, requires_safety_checker=False)
    if settings.reference is not None:
        folder, _, name = REFERENCE_FILE.rpartition("/")
        place = str(networks.reference_folder)
        whole.load_ip_adapter(
            place, folder, name, image_encoder_folder=None, local_files_only=True, low_cpu_mem_usage=False
        )
    _place(whole, device)
    part = kinds[1](**whole.components, requires_safety_checker=False)
    for pipeline in (whole, part):
        pipeline.set_progress_bar_config(disable=True)
    return whole, part


def _place(pipeline: Any, device: str) -> None:
    """Bring `pipeline` onto `device`, in a way that its free memory allows. Attention is torch's own, fused one."""
    import torch

    free = torch.cuda.mem_get_info(device)[0] if device.startswith("cuda") else _free_memory()
    if device.startswith("cuda") and free < _TIGHT:
        try:
            pipeline.enable_model_cpu_offload(device=device)
        except (ImportError, RuntimeError):
            log.warning("networks cannot wait in main memory without accelerate")
            pipeline.to(device)
    else:
        pipeline.to(device)
    if free < _ROOMY:
        pipeline.enable_attention_slicing()
        pipeline.vae.enable_tiling()  # a sheet of 1024 pixels takes 3.9 GB at once, one of 512 pixels 1.0


def _free_memory() -> int:
    import psutil

    return psutil.virtual_memory().available


def _reporting(progress: Callable[[float], None]) -> Callable[..., dict[str, Any]]:
    """A callback for `diffusers` that tells `progress` after each step; what that raises ends the run there."""

    def step_done(pipeline: Any, step: int, timestep: Any, tensors: dict[str, Any]) -> dict[str, Any]:
        progress(min(1.0, (step + 1) / max(1, pipeline.num_timesteps)))
        return tensors

    return step_done


def _guarded(work: Callable[[], Any]) -> Any:
    """What `work` returns; too little memory is told as such."""
    import torch

    try:
        return work()
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise OmagenError(
            ErrorCode.MEMORY,
            "The device has too little memory for enhancing these views.",
            "Choose smaller views, sequential consistency, or the processor.",
        ) from error


def _padded(picture: np.ndarray, fill: float) -> np.ndarray:
    """`picture` (H, W) or (H, W, 3), made larger at the bottom and right to multiples of what the networks need."""
    height, width = picture.shape[:2]
    down, right = -height % _MULTIPLE, -width % _MULTIPLE
    fills = [fill] * 4
    return cv2.copyMakeBorder(np.asarray(picture, np.float32), 0, down, 0, right, cv2.BORDER_CONSTANT, value=fills)
