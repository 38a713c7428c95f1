"""The textures of a glTF file: each image decoded once, wrap modes kept, memory bounded for all of them together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from omagen.io.companions import read_uri
from omagen.io.decoding import MAX_DECODED_SIDE, decode_image, image_size
from omagen.io.gltf_document import Document, typed
from omagen.io.gltf_materials import WRAP_CODES
from omagen.protocol import OmagenError
from omagen.shapes import Texture
from omagen.shapes.material import Wrap

MAX_KEPT_PIXELS: Final = 128 * 2**20
"""Of all images of a file together, as held in memory: 512 MB."""
MAX_STORED_PIXELS: Final = 1024 * 2**20
"""Of all images of a file together, as stored, so as what has to be decoded: some ten seconds."""
WRAPS: Final[dict[int, Wrap]] = {code: wrap for wrap, code in WRAP_CODES.items()}


class Textures:
    """Reads textures of one document; what cannot be read becomes a warning and None, and the factor stands alone."""

    def __init__(self, document: Document, warn: Callable[[str], None]) -> None:
        self._document, self._warn = document, warn
        self._pixels: dict[int, np.ndarray | None] = {}
        self._stored = 0
        self._kept = 0

    def read(self, info: Any, role: str) -> Texture | None:
        """The texture that the textureInfo object `info` names; `role` says in messages what it is for."""
        texture = self._document.entry("textures", typed(info, dict, role).get("index"))
        extensions = typed(texture.get("extensions", {}), dict, "extensions")
        webp = typed(extensions.get("EXT_texture_webp", {}), dict, "EXT_texture_webp")
        source = webp.get("source", texture.get("source"))
        if source is None:
            self._warn(f"A {role} texture has no image that can be read; it is left out.")
            return None
        image = self._document.entry("images", source)
        if source not in self._pixels:
            try:
                self._pixels[source] = self._decode(image, f"the {role} texture{_name(image)}")
            except OmagenError as error:
                self._pixels[source] = None
                self._warn(f"A {role} texture is left out: {error}")
        pixels = self._pixels[source]
        if pixels is None:
            return None
        sampler = self._document.entry("samplers", texture["sampler"]) if "sampler" in texture else {}
        return Texture(pixels, _wrap(sampler.get("wrapS")), _wrap(sampler.get("wrapT")))

    def _decode(self, image: dict[str, Any], title: str) -> np.ndarray | None:
        data = self._content(image)
        width, height = image_size(data, title)
        self._stored += width * height
        if self._stored > MAX_STORED_PIXELS or self._kept > MAX_KEPT_PIXELS:
            self._warn(f"{title[0].upper()}{title[1:]} is left out: the file has too many large textures.")
            return None
        side = MAX_DECODED_SIDE
        for share in (1 / 2, 3 / 4):
            side = side // 2 if self._kept > share * MAX_KEPT_PIXELS else side
        decoded = decode_image(data, title, photo=False, max_side=side)
        for note in decoded.warnings:
            self._warn(note)
        rgba = decoded.rgba
        self._kept += rgba.shape[0] * rgba.shape[1]
        return rgba if (rgba[..., 3] < 255).any() else np.ascontiguousarray(rgba[..., :3])

    def _content(self, image: dict[str, Any]) -> bytes:
        if "bufferView" in image:
            return bytes(self._document.view(image["bufferView"])[0])
        return read_uri(self._document.path, typed(image.get("uri"), str, "the uri of an image"))


def _name(image: dict[str, Any]) -> str:
    name = image.get("name") or str(image.get("uri", ""))
    return f' "{str(name)[:60]}"' if name and not str(name).startswith("data:") else ""


def _wrap(code: Any) -> Wrap:
    return WRAPS.get(code, "repeat") if isinstance(code, int) else "repeat"
