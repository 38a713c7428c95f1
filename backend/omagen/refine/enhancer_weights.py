"""Loads the networks of the view enhancer from folders in the official layouts: strictly, and safetensors only.

Stable Diffusion's folder is laid out as `diffusers` saves it. ControlNet's is either, a folder of `diffusers` or one
file with the names of the authors' own code, which is what is published as safetensors.
"""

# pyright: reportPrivateImportUsage=false
# diffusers exports what it has lazily.

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from omagen.catalog import MODELS, HubModel, find
from omagen.protocol import ErrorCode, OmagenError

BASE: Final = "stable-diffusion-1.5"
CONTROL: Final = "controlnet-tile-sd1.5"
REFERENCE: Final = "ip-adapter-sd1.5"
REFERENCE_FILE: Final = "models/ip-adapter_sd15.safetensors"

_SURPLUS: Final = "embeddings.position_ids"
"""In official files of text and picture encoders, though they are counted, not learned"""
_CONTROL_WIDTH: Final = 768
"""Of the text that ControlNets for Stable Diffusion 1.5 listen to; their files do not say so"""


@dataclass(frozen=True)
class EnhancerNetworks:
    """Networks of `diffusers` and `transformers`, in memory. No safety checker: pictures of normals show no scenes."""

    vae: Any
    text_encoder: Any
    tokenizer: Any
    unet: Any
    scheduler: Any
    controlnet: Any | None
    reference_encoder: Any | None
    reference_folder: Path | None
    """Of IP-Adapter, whose weights a pipeline puts into its networks itself"""
    licences: dict[str, str]
    """Model -> licence, for the report"""


def load_networks(*, control: bool, reference: bool, half: bool) -> EnhancerNetworks:
    """The networks from the catalogue's folders or the user's own (`omagen models use`); `half`: float16, else float32.

    Raises `OmagenError`: environment where libraries are missing, model for what is missing or does not fit.
    """
    try:
        import diffusers
        import torch
        import transformers
    except ImportError as error:
        raise OmagenError(
            ErrorCode.ENVIRONMENT,
            f"Enhancing by diffusion needs {error.name}, which is not installed.",
            "Install the backend with its extra `networks`: pip install 'omagen[networks]'.",
        ) from error
    base = _folder(BASE)
    control_folder = _folder(CONTROL) if control else None
    reference_folder = _folder(REFERENCE) if reference else None
    dtype = torch.float16 if half else torch.float32
    names = [BASE] + [CONTROL] * control + [REFERENCE] * reference
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    tokenizer = _read(BASE, base / "tokenizer", lambda f: transformers.CLIPTokenizer.from_pretrained(f))
    scheduler = _read(BASE, base / "scheduler", lambda f: diffusers.UniPCMultistepScheduler.from_pretrained(f))
    return EnhancerNetworks(
        vae=_network(BASE, base / "vae", diffusers.AutoencoderKL, "diffusion_pytorch_model", dtype),
        text_encoder=_network(BASE, base / "text_encoder", transformers.CLIPTextModel, "model", dtype),
        tokenizer=tokenizer,
        unet=_network(BASE, base / "unet", diffusers.UNet2DConditionModel, "diffusion_pytorch_model", dtype),
        scheduler=scheduler,
        controlnet=_control(control_folder, diffusers.ControlNetModel, dtype) if control_folder else None,
        reference_encoder=_reference_encoder(reference_folder, dtype) if reference_folder else None,
        reference_folder=reference_folder,
        licences={model.title: model.licence for model in map(_entry, names)},
    )


def _folder(id: str) -> Path:
    found = find(id)
    if found is None:
        model = _entry(id)
        raise OmagenError(
            ErrorCode.MODEL,
            f"{model.title} is not on this computer ({model.size / 1e9:.1f} GB, licence {model.licence}).",
            f"Fetch it with `omagen models download {id}` or in the add-on's preferences, or name a folder that has it "
            f"with `omagen models use {id} FOLDER`.",
        )
    return found


def _entry(id: str) -> HubModel:
    return next(model for model in MODELS if isinstance(model, HubModel) and model.id == id)


def _network(id: str, folder: Path, kind: Any, stem: str, dtype: Any) -> Any:
    """A network of class `kind` from `folder`, every one of its weights from the file."""
    variant = _variant(id, folder, stem)
    network, info = _read(
        id,
        folder,
        lambda f: kind.from_pretrained(
            f,
            torch_dtype=dtype,
            use_safetensors=True,
            variant=variant,
            local_files_only=True,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # they are in the information, and refused below
            low_cpu_mem_usage=False,
        ),
    )
    wrong = {
        "missing": set(info["missing_keys"]),
        "unexpected": {key for key in info["unexpected_keys"] if not key.endswith(_SURPLUS)},
        "of another shape": {key if isinstance(key, str) else key[0] for key in info["mismatched_keys"]},
    }
    _refuse_misfits(id, folder, wrong)
    return network.eval()


def _variant(id: str, folder: Path, stem: str) -> str | None:
    """`fp16` where only that file is there, which then is widened as needed. Raises `OmagenError` where none is."""
    for variant in (None, "fp16"):
        if (folder / ".".join(filter(None, [stem, variant, "safetensors"]))).is_file():
            return variant
    pickled = any(folder.glob("*.bin"))
    raise _incomplete(
        id,
        f"{folder} has no {stem}.safetensors"
        + (", only a pickle (*.bin), which Omagen does not load" if pickled else ""),
    )


def _control(folder: Path, kind: Any, dtype: Any) -> Any:
    if (folder / "config.json").is_file() and any(folder.glob("diffusion_pytorch_model*")):
        return _network(CONTROL, folder, kind, "diffusion_pytorch_model", dtype)
    files = sorted(folder.glob("*.safetensors"))
    if len(files) != 1:
        raise _incomplete(CONTROL, f"{folder} should hold one file *.safetensors and holds {len(files)}")
    return _read(CONTROL, files[0], lambda file: _single_file(file, kind, dtype))


def _reference_encoder(folder: Path, dtype: Any) -> Any:
    from transformers import CLIPVisionModelWithProjection

    if not (folder / REFERENCE_FILE).is_file():
        raise _incomplete(REFERENCE, f"{folder / REFERENCE_FILE} is missing")
    return _network(REFERENCE, folder / "models" / "image_encoder", CLIPVisionModelWithProjection, "model", dtype)


def _single_file(file: Path, kind: Any, dtype: Any) -> Any:
    """A ControlNet with the names of its authors' code; a `config.json` beside it tells another size than usual."""
    from diffusers.loaders.single_file_utils import convert_controlnet_checkpoint
    from safetensors.torch import load_file

    told = file.with_name("config.json")
    config = json.loads(told.read_text("utf-8")) if told.is_file() else {"cross_attention_dim": _CONTROL_WIDTH}
    network = kind.from_config(config)
    found = convert_controlnet_checkpoint(load_file(file), dict(network.config))
    wanted = network.state_dict()
    shapes = {key for key in found.keys() & wanted.keys() if found[key].shape != wanted[key].shape}
    wrong = {
        "missing": wanted.keys() - found.keys(),
        "unexpected": found.keys() - wanted.keys(),
        "of another shape": shapes,
    }
    _refuse_misfits(CONTROL, file, wrong)
    network.load_state_dict(found, strict=True)
    return (network if network.dtype == dtype else network.to(dtype)).eval()


def _read(id: str, path: Path, read: Callable[[Path], Any]) -> Any:
    """What `read` makes of `path`; what it raises, in words."""
    if not path.exists():
        raise _incomplete(id, f"{path} is missing")
    try:
        return read(path)
    except OmagenError:
        raise
    except MemoryError as error:
        raise OmagenError(ErrorCode.MEMORY, f"There is not enough memory for {_entry(id).title}.") from error
    except Exception as error:  # each library has its own for a file that it cannot use
        raise _incomplete(
            id, f"{path} cannot be read: {str(error).splitlines()[0] if str(error) else error!r}"
        ) from error


def _refuse_misfits(id: str, path: Path, wrong: dict[str, set[str]]) -> None:
    """Raises `OmagenError` (model) where a network would keep weights that came from nowhere."""
    parts = [
        f"{len(keys)} {how} ({', '.join(sorted(keys)[:3])}{', …' if len(keys) > 3 else ''})"
        for how, keys in wrong.items()
        if keys
    ]
    if parts:
        raise _incomplete(id, f"The weights in {path} do not fit the network: {'; '.join(parts)}")


def _incomplete(id: str, what: str) -> OmagenError:
    model = _entry(id)
    return OmagenError(
        ErrorCode.MODEL,
        f"{model.title} cannot be loaded: {what}.",
        f"Fetch it again: `omagen models delete {id}`, then `omagen models download {id}`. A folder of your own must "
        f"be laid out as {model.repository} is.",
    )
