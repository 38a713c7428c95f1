"""Tiny Stable Diffusion, ControlNet and IP-Adapter with random weights, in the layouts that are published.

Names in the files are those of the official checkpoints, which differ from what today's libraries save: `text_model.`
before those of the text encoder, the autoencoder's attention as `query`, `key`, `value`, `proj_attn`, and ControlNet as
its authors' code names it.
"""

# pyright: reportPrivateImportUsage=false
# diffusers exports what it has lazily.

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

WIDTHS = (8, 16, 16, 16)
"""Four levels, as the real one has: ControlNet's official names count on them"""
TEXT = 16


def write_stable_diffusion(folder: Path, seed: int = 0) -> None:
    from diffusers import AutoencoderKL, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    torch.manual_seed(seed)
    words = _write_tokenizer(folder / "tokenizer")
    text: dict[str, Any] = {
        "vocab_size": words, "hidden_size": TEXT, "intermediate_size": 16, "num_hidden_layers": 1,
        "num_attention_heads": 2, "max_position_embeddings": 77, "hidden_act": "quick_gelu", "pad_token_id": 1,
        "bos_token_id": words - 2, "eos_token_id": words - 1, "projection_dim": TEXT,
    }  # fmt: skip
    encoder = CLIPTextModel(CLIPTextConfig(**text)).state_dict()
    encoder = {f"text_model.{key.removeprefix('text_model.')}": value for key, value in encoder.items()}
    encoder["text_model.embeddings.position_ids"] = torch.arange(77)[None]
    text |= {"architectures": ["CLIPTextModel"], "model_type": "clip_text_model"}
    _save(folder / "text_encoder", "model.fp16", encoder, text)

    levels = ("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",)
    unet = {
        "sample_size": 64, "in_channels": 4, "out_channels": 4, "layers_per_block": 2, "act_fn": "silu",
        "block_out_channels": list(WIDTHS), "down_block_types": list(levels), "cross_attention_dim": TEXT,
        "up_block_types": [level.replace("Down", "Up") for level in levels[::-1]], "attention_head_dim": 2,
        "norm_num_groups": 4, "center_input_sample": False, "flip_sin_to_cos": True, "freq_shift": 0,
    }  # fmt: skip
    network = UNet2DConditionModel(**unet)
    unet |= {"_class_name": "UNet2DConditionModel", "_diffusers_version": "0.6.0"}
    _save(folder / "unet", "diffusion_pytorch_model.fp16", network.state_dict(), unet)

    vae = {
        "in_channels": 3, "out_channels": 3, "latent_channels": 4, "block_out_channels": [8, 8, 8, 8],
        "down_block_types": ["DownEncoderBlock2D"] * 4, "up_block_types": ["UpDecoderBlock2D"] * 4,
        "layers_per_block": 1, "norm_num_groups": 4, "sample_size": 64, "act_fn": "silu",
    }  # fmt: skip
    old = {".to_q.": ".query.", ".to_k.": ".key.", ".to_v.": ".value.", ".to_out.0.": ".proj_attn."}
    weights = AutoencoderKL(**vae).state_dict()
    weights = {re.sub(r"\.to_[qkv]\.|\.to_out\.0\.", lambda m: old[m[0]], key): value for key, value in weights.items()}
    vae |= {"_class_name": "AutoencoderKL", "_diffusers_version": "0.6.0"}
    _save(folder / "vae", "diffusion_pytorch_model.fp16", weights, vae)

    scheduler = {
        "_class_name": "PNDMScheduler", "_diffusers_version": "0.6.0", "beta_start": 0.00085, "beta_end": 0.012,
        "beta_schedule": "scaled_linear", "num_train_timesteps": 1000, "set_alpha_to_one": False,
        "skip_prk_steps": True, "steps_offset": 1, "trained_betas": None, "clip_sample": False,
    }  # fmt: skip
    _write(folder / "scheduler/scheduler_config.json", scheduler)
    _write(folder / "model_index.json", {"_class_name": "StableDiffusionPipeline", "_diffusers_version": "0.6.0"})


def write_controlnet(folder: Path, *, single_file: bool, seed: int = 1) -> None:
    from diffusers import ControlNetModel

    torch.manual_seed(seed)
    config: dict[str, Any] = {
        "in_channels": 4, "block_out_channels": list(WIDTHS), "cross_attention_dim": TEXT, "attention_head_dim": 2,
        "norm_num_groups": 4, "conditioning_embedding_out_channels": [16, 32, 96, 256], "layers_per_block": 2,
    }  # fmt: skip
    network = ControlNetModel(**config)
    # its last convolutions begin at zero, which would hide whether it does anything
    for name, weight in network.named_parameters():
        if name.startswith(("controlnet_down_blocks", "controlnet_mid_block")):
            torch.nn.init.normal_(weight, std=0.1)
        if name.startswith("controlnet_cond_embedding.conv_out"):
            torch.nn.init.normal_(weight)
    weights = network.state_dict()
    if single_file:
        weights = {_authors_name(key): value for key, value in weights.items()}
    config |= {"_class_name": "ControlNetModel", "_diffusers_version": "0.16.0"}
    _save(folder, "control_tile" if single_file else "diffusion_pytorch_model", weights, config)


def write_ip_adapter(folder: Path, seed: int = 2) -> None:
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    torch.manual_seed(seed)
    vision: dict[str, Any] = {
        "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
        "projection_dim": 12, "image_size": 224, "patch_size": 112,
    }  # fmt: skip
    encoder = CLIPVisionModelWithProjection(CLIPVisionConfig(**vision)).state_dict()
    encoder["vision_model.embeddings.position_ids"] = torch.arange(5)[None]
    vision |= {"architectures": ["CLIPVisionModelWithProjection"], "model_type": "clip_vision_model"}
    _save(folder / "models/image_encoder", "model", encoder, vision)
    adapter = {
        "image_proj.proj.weight": torch.randn(4 * TEXT, 12),
        "image_proj.proj.bias": torch.randn(4 * TEXT),
        "image_proj.norm.weight": torch.ones(TEXT),
        "image_proj.norm.bias": torch.zeros(TEXT),
    }
    # one pair for each cross attention, counted over all attentions in the order of the blocks: down, up, middle
    down, up = [WIDTHS[0]] * 2 + [WIDTHS[1]] * 2 + [WIDTHS[2]] * 2, [WIDTHS[2]] * 3 + [WIDTHS[1]] * 3 + [WIDTHS[0]] * 3
    for i, width in enumerate([*down, *up, WIDTHS[3]]):
        for word in ("k", "v"):
            adapter[f"ip_adapter.{2 * i + 1}.to_{word}_ip.weight"] = torch.randn(width, TEXT)
    save_file(adapter, _made(folder / "models/ip-adapter_sd15.safetensors"))


def _authors_name(key: str) -> str:
    """What ControlNet's authors call a weight, for four levels of two layers."""
    fixed = {
        "time_embedding.linear_1": "time_embed.0", "time_embedding.linear_2": "time_embed.2",
        "conv_in": "input_blocks.0.0", "controlnet_cond_embedding.conv_in": "input_hint_block.0",
        "controlnet_cond_embedding.conv_out": "input_hint_block.14", "controlnet_mid_block": "middle_block_out.0",
    }  # fmt: skip
    resnet = {
        "norm1": "in_layers.0", "conv1": "in_layers.2", "time_emb_proj": "emb_layers.1", "norm2": "out_layers.0",
        "conv2": "out_layers.3", "conv_shortcut": "skip_connection",
    }  # fmt: skip
    for ours, theirs in fixed.items():
        if key.startswith(ours + "."):
            return f"control_model.{theirs}{key.removeprefix(ours)}"
    if found := re.match(r"controlnet_cond_embedding\.blocks\.(\d+)\.(.*)", key):
        return f"control_model.input_hint_block.{2 * int(found[1]) + 2}.{found[2]}"
    if found := re.match(r"controlnet_down_blocks\.(\d+)\.(.*)", key):
        return f"control_model.zero_convs.{found[1]}.0.{found[2]}"
    if found := re.match(r"down_blocks\.(\d)\.downsamplers\.0\.conv\.(.*)", key):
        return f"control_model.input_blocks.{3 * int(found[1]) + 3}.0.op.{found[2]}"
    if found := re.match(r"(down_blocks\.(\d)|mid_block)\.(resnets|attentions)\.(\d)\.(.*)", key):
        _, level, kind, layer, rest = found.groups()
        if kind == "resnets":
            part, _, last = rest.partition(".")
            rest = f"{resnet[part]}.{last}"
        if level is None:
            return f"control_model.middle_block.{2 * int(layer) if kind == 'resnets' else 1}.{rest}"
        block = 3 * int(level) + int(layer) + 1
        return f"control_model.input_blocks.{block}.{0 if kind == 'resnets' else 1}.{rest}"
    raise KeyError(key)


def _write_tokenizer(folder: Path) -> int:
    """Letters only; the size of its vocabulary."""
    letters = [chr(c) for c in range(33, 127)]
    tokens = [*letters, *(letter + "</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    _write(folder / "vocab.json", {token: i for i, token in enumerate(tokens)})
    (folder / "merges.txt").write_text("#version: 0.2\n", "utf-8")
    special = {"bos_token": "<|startoftext|>", "eos_token": "<|endoftext|>", "unk_token": "<|endoftext|>"}
    special["pad_token"] = "<|endoftext|>"
    _write(folder / "special_tokens_map.json", special)
    _write(folder / "tokenizer_config.json", special | {"model_max_length": 77, "tokenizer_class": "CLIPTokenizer"})
    return len(tokens)


def _save(folder: Path, stem: str, weights: dict[str, torch.Tensor], config: dict[str, Any]) -> None:
    half = stem.endswith("fp16")
    stored = {k: v.half() if half and v.is_floating_point() else v for k, v in weights.items()}
    save_file({k: v.contiguous() for k, v in stored.items()}, _made(folder / f"{stem}.safetensors"))
    _write(folder / "config.json", config)


def _write(path: Path, data: dict[str, Any]) -> None:
    _made(path).write_text(json.dumps(data), "utf-8")


def _made(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
