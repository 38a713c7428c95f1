"""Options of the material network, under their published names; the defaults are those of the released checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final

from omagen.protocol import ErrorCode, OmagenError

PerLevel = int | bool | tuple[int, ...] | tuple[bool, ...]
"""One value for all levels, or one for each level from the finest to the coarsest"""

FIXED: Final[Mapping[str, Any]] = {
    "out_dim": None, "num_image_tokens": 4, "lowres_cond": False, "layer_attns_add_text_cond": True,
    "attend_at_middle": True, "use_linear_attn": False, "use_linear_cross_attn": False, "cond_on_text": True,
    "init_dim": None, "init_conv_kernel_size": 7, "init_cross_embed": True, "cross_embed_downsample": False,
    "cross_embed_downsample_kernel_sizes": [2, 4], "attn_pool_text": True, "dropout": 0.0, "memory_efficient": False,
    "init_conv_to_final_conv_residual": True, "use_global_context_attn": True, "scale_skip_connection": True,
    "final_resnet_block": True, "self_cond": False, "resize_mode": "nearest", "combine_upsample_fmaps": False,
    "pixel_shuffle_upsample": True,
}  # fmt: skip
"""Published options that the network knows in one setting only, that of the released checkpoint."""


@dataclass(frozen=True)
class UNetConfig:
    channels: int = 5
    channels_out: int | None = None
    """None: as many as `channels`"""
    cond_images_channels: int = 4
    dim: int = 256
    dim_mults: tuple[int, ...] = (1, 2, 3, 4)
    num_resnet_blocks: PerLevel = 3
    resnet_groups: PerLevel = 8
    layer_attns: PerLevel = (False, True, True, True)
    layer_attns_depth: PerLevel = 1
    layer_cross_attns: PerLevel = (False, True, True, True)
    layer_mid_attns_depth: int = 1
    attn_heads: int = 8
    attn_dim_head: int = 64
    ff_mult: float = 2.0
    text_embed_dim: int = 768
    """Width of a class's vector"""
    max_text_len: int = 256
    cond_dim: int | None = None
    """Width of conditioning tokens; None: `dim`"""
    attn_pool_num_latents: int = 32
    num_time_tokens: int = 2
    learned_sinu_pos_emb_dim: int = 16
    init_cross_embed_kernel_sizes: tuple[int, ...] = (3, 7, 15)
    final_conv_kernel_size: int = 3

    def __post_init__(self) -> None:
        for field in fields(self):
            if isinstance(value := getattr(self, field.name), list):
                object.__setattr__(self, field.name, tuple(value))
        for name in ("num_resnet_blocks", "resnet_groups", "layer_attns", "layer_attns_depth", "layer_cross_attns"):
            value = getattr(self, name)
            if isinstance(value, tuple) and len(value) != len(self.dim_mults):
                raise OmagenError(
                    ErrorCode.MODEL,
                    f"The material network has {len(self.dim_mults)} levels, but {name} has {len(value)} values.",
                    "The checkpoint's configuration is damaged, or of another system.",
                )

    def level(self, name: str, number: int) -> int:
        """The value of the option `name` at level `number`, 0 being the finest."""
        value = getattr(self, name)
        return value[number] if isinstance(value, tuple) else value

    @property
    def context_dim(self) -> int:
        return self.dim if self.cond_dim is None else self.cond_dim

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> UNetConfig:
        """From published options (plain JSON); those not named have the released value.

        Raises `OmagenError` (model) for an option that is not known or has a setting that the network does not know.
        """
        known = {field.name for field in fields(cls)}
        bad = [
            name for name, value in options.items() if name not in known and (name not in FIXED or FIXED[name] != value)
        ]
        if bad:
            raise OmagenError(
                ErrorCode.MODEL,
                "The material network does not know the settings "
                + ", ".join(f"{name} = {options[name]!r}" for name in bad)
                + ".",
                "Choose a checkpoint of the published configuration.",
            )
        values: dict[str, Any] = {name: value for name, value in options.items() if name in known}
        return cls(**values)
