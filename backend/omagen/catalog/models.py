"""The published weights that Omagen knows how to use: where they come from, their hash, what their licence allows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_REMBG_RELEASE = "https://github.com/danielgatis/rembg/releases/download/v0.0.0/"


@dataclass(frozen=True)
class FileModel:
    """Weights in one file at a fixed address."""

    id: str
    """For background removal: rembg's name of the session that uses the file."""
    title: str
    description: str
    file: str
    url: str
    size: int
    """Bytes."""
    md5: str
    """As the publisher states it."""
    licence: str
    """SPDX identifier of the authors' licence for the weights, or the authors' own name for it."""
    commercial: bool
    """Whether that licence allows commercial use."""
    source: str
    """Where the authors describe the model and its licence."""


@dataclass(frozen=True)
class HubModel:
    """Weights in a repository of the Hugging Face hub, of which only what is needed is fetched."""

    id: str
    title: str
    description: str
    repository: str
    """`owner/name`"""
    revision: str
    """The commit, 40 hexadecimal digits; empty for the newest one, and then the description says so."""
    files: tuple[str, ...]
    """What is needed, as patterns (`unet/*.json`) over paths in the repository; pickles are never fetched."""
    size: int
    """Bytes of all of it, about: the hub states the sizes that count when it is fetched."""
    licence: str
    commercial: bool
    source: str


Model = FileModel | HubModel

_UNRUN: Final = "Not run by Omagen's authors with these weights: unverified."


MODELS: tuple[Model, ...] = (
    FileModel(
        "isnet-general-use",
        "IS-Net",
        "Background removal with fine edges; the best choice for most pictures.",
        "isnet-general-use.onnx",
        _REMBG_RELEASE + "isnet-general-use.onnx",
        178_648_008,
        "fc16ebd8b0c10d971d3513d564d01e29",
        "Apache-2.0",
        True,
        "https://github.com/xuebinqin/DIS",
    ),
    FileModel(
        "u2net",
        "U2-Net",
        "Background removal, robust with photographs; soft edges.",
        "u2net.onnx",
        _REMBG_RELEASE + "u2net.onnx",
        175_997_641,
        "60024c5c889badc19c04ad937298a77b",
        "Apache-2.0",
        True,
        "https://github.com/xuebinqin/U-2-Net",
    ),
    FileModel(
        "silueta",
        "Silueta",
        "U2-Net made smaller: a quarter of the download, slightly rougher.",
        "silueta.onnx",
        _REMBG_RELEASE + "silueta.onnx",
        44_173_029,
        "55e59e0d8062d2f5d013f4725ee84782",
        "Apache-2.0",
        True,
        "https://github.com/xuebinqin/U-2-Net/issues/295",
    ),
    FileModel(
        "u2netp",
        "U2-Net, light",
        "Background removal in 5 MB, for slow connections and quick tries.",
        "u2netp.onnx",
        _REMBG_RELEASE + "u2netp.onnx",
        4_574_861,
        "8e83ca70e441ab06c318d82300c84806",
        "Apache-2.0",
        True,
        "https://github.com/xuebinqin/U-2-Net",
    ),
    FileModel(
        "birefnet-general-lite",
        "BiRefNet, light",
        "Background removal with the finest edges; several times slower and hungry for memory.",
        "birefnet-general-lite.onnx",
        _REMBG_RELEASE + "BiRefNet-general-bb_swin_v1_tiny-epoch_232.onnx",
        224_005_088,
        "4fab47adc4ff364be1713e97b7e66334",
        "MIT",
        True,
        "https://github.com/ZhengPeng7/BiRefNet",
    ),
    HubModel(
        "stable-diffusion-1.5",
        "Stable Diffusion 1.5",
        "Base of the view enhancer of Refine. It was not trained on normal maps. " + _UNRUN + " The licence forbids "
        "certain uses.",
        "stable-diffusion-v1-5/stable-diffusion-v1-5",
        "451f4fe16113bff5a5d2269ed5ad43b0592e9a14",
        (
            "model_index.json",
            "scheduler/scheduler_config.json",
            "tokenizer/*",
            "text_encoder/config.json",
            "text_encoder/model.fp16.safetensors",
            "unet/config.json",
            "unet/diffusion_pytorch_model.fp16.safetensors",
            "vae/config.json",
            "vae/diffusion_pytorch_model.fp16.safetensors",
        ),
        2_134_300_000,
        "CreativeML-OpenRAIL-M",
        True,
        "https://huggingface.co/stable-diffusion-v1-5/stable-diffusion-v1-5",
    ),
    HubModel(
        "controlnet-tile-sd1.5",
        "ControlNet 1.1 Tile",
        "Keeps what the view enhancer of Refine adds in place. The authors publish a pickle only; this is its copy as "
        "safetensors that ComfyUI's author made. " + _UNRUN + " The licence forbids certain uses.",
        "comfyanonymous/ControlNet-v1-1_fp16_safetensors",
        "e05625af65b7110c593fb4d426e53f9885da2b26",
        ("control_v11f1e_sd15_tile_fp16.safetensors",),
        722_601_104,
        "OpenRAIL",
        True,
        "https://huggingface.co/lllyasviel/control_v11f1e_sd15_tile",
    ),
    HubModel(
        "ip-adapter-sd1.5",
        "IP-Adapter for Stable Diffusion 1.5",
        "Lets the view enhancer of Refine follow a reference picture. " + _UNRUN,
        "h94/IP-Adapter",
        "018e402774aeeddd60609b4ecdb7e298259dc729",
        (
            "models/ip-adapter_sd15.safetensors",
            "models/image_encoder/config.json",
            "models/image_encoder/model.safetensors",
        ),
        2_573_017_000,
        "Apache-2.0",
        True,
        "https://huggingface.co/h94/IP-Adapter",
    ),
)
