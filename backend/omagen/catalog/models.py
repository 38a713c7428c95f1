"""The published weights that Omagen knows how to use: where they come from, their hash, what their licence allows."""

from __future__ import annotations

from dataclasses import dataclass

_REMBG_RELEASE = "https://github.com/danielgatis/rembg/releases/download/v0.0.0/"


@dataclass(frozen=True)
class Model:
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
    """SPDX identifier of the authors' licence for the weights."""
    commercial: bool
    """Whether that licence allows commercial use."""
    source: str
    """Where the authors describe the model and its licence."""


MODELS: tuple[Model, ...] = (
    Model(
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
    Model(
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
    Model(
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
    Model(
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
    Model(
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
)
