"""The container of a glTF 2.0 file, `.glb` or `.gltf`: its JSON, checked where it is used, and its bytes.

Specification: https://registry.khronos.org/glTF/specs/2.0/glTF-2.0.html
"""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any, Final, TypeVar

from omagen.io.companions import read_uri
from omagen.protocol import ErrorCode, OmagenError

T = TypeVar("T")

MAX_JSON_VALUES: Final = 4_000_000
"""Commas and brackets. Parsed JSON takes up to a hundred bytes for each, whatever the size of the file."""

UNDERSTOOD_EXTENSIONS: Final = frozenset(
    {"KHR_texture_transform", "KHR_mesh_quantization", "EXT_texture_webp", "KHR_materials_pbrSpecularGlossiness"}
)
HARMLESS_PREFIXES: Final = ("KHR_materials_", "KHR_lights_", "KHR_xmp", "KHR_animation_", "KHR_node_visibility")
"""Extensions without which the shape is still right; materials may look simpler."""
KNOWN_NAMES: Final = {
    "KHR_draco_mesh_compression": "Draco-compressed glTF",
    "EXT_meshopt_compression": "meshopt-compressed glTF",
    "KHR_meshopt_compression": "meshopt-compressed glTF",
    "KHR_texture_basisu": "glTF with KTX2 (Basis Universal) textures",
}


class Document:
    """A parsed file. Its methods raise `OmagenError` (input) for whatever is missing or of a wrong type."""

    def __init__(self, path: Path, root: dict[str, Any], binary: bytes | None) -> None:
        self.path, self.root = path, root
        self._binary = binary
        self._buffers: dict[int, bytes] = {}

    def table(self, name: str) -> list[Any]:
        """A top-level array; absent means empty."""
        return typed(self.root.get(name, []), list, name)

    def entry(self, name: str, index: Any) -> dict[str, Any]:
        """Element `index` of the top-level array `name`."""
        table = self.table(name)
        if isinstance(index, bool) or not isinstance(index, int) or not 0 <= index < len(table):
            raise broken(f"it refers to {name}[{str(index)[:20]}], and there are {len(table)}")
        return typed(table[index], dict, f"{name}[{index}]")

    def buffer(self, index: Any) -> bytes:
        """All bytes of a buffer; read and checked once."""
        entry = self.entry("buffers", index)
        if index not in self._buffers:
            uri = entry.get("uri")
            if uri is None:
                if index != 0 or self._binary is None:
                    raise broken(f"buffers[{index}] has no data")
                data = self._binary
            else:
                data = read_uri(self.path, typed(uri, str, "uri"))
            if len(data) < integer(entry.get("byteLength"), "byteLength"):
                raise broken(f"buffers[{index}] has {len(data)} bytes and states {entry['byteLength']}")
            self._buffers[index] = data
        return self._buffers[index]

    def view(self, index: Any) -> tuple[memoryview, int]:
        """The bytes of a buffer view, and its stride (0 = tightly packed)."""
        entry = self.entry("bufferViews", index)
        data = self.buffer(entry.get("buffer"))
        start = integer(entry.get("byteOffset", 0), "byteOffset")
        length = integer(entry.get("byteLength"), "byteLength")
        if start + length > len(data):
            raise broken(f"bufferViews[{index}] reaches beyond its buffer")
        return memoryview(data)[start : start + length], integer(entry.get("byteStride", 0), "byteStride")


def parse_document(path: Path, data: bytes) -> Document:
    """The document in `data`, the content of `path`. Raises `OmagenError` (input): damaged, or not supported."""
    text, binary = _chunks(data) if data[:4] == b"glTF" else (data, None)
    if sum(text.count(mark) for mark in (b",", b"{", b"[")) > MAX_JSON_VALUES:
        raise broken("its description is too large")
    try:
        root = typed(json.loads(text.decode("utf-8-sig")), dict, "the description")
    except UnicodeDecodeError as error:
        raise broken("its description is not UTF-8 text") from error
    except (ValueError, RecursionError) as error:
        raise broken("its description is not JSON") from error
    version = str(typed(root.get("asset", {}), dict, "asset").get("version", "none"))
    if not version.startswith("2."):
        raise OmagenError(
            ErrorCode.INPUT, f"It is glTF of version {version[:10]}; only 2.0 is supported.", "Convert it to glTF 2.0."
        )
    _check_extensions(typed(root.get("extensionsRequired", []), list, "extensionsRequired"))
    return Document(path, root, binary)


def _chunks(data: bytes) -> tuple[bytes, bytes | None]:
    """The JSON and the binary chunk of a GLB. The stated total length is not trusted; that of each chunk is checked."""
    if len(data) < 20:
        raise broken("it is truncated")
    version, _ = struct.unpack_from("<II", data, 4)
    if version != 2:
        raise OmagenError(
            ErrorCode.INPUT, f"It is GLB of version {version}; only 2 is supported.", "Convert it to glTF 2.0."
        )
    found: dict[bytes, bytes] = {}
    position = 12
    while position + 8 <= len(data):
        length, kind = struct.unpack_from("<I4s", data, position)
        if position + 8 + length > len(data):
            raise broken("it is truncated")
        found.setdefault(kind, data[position + 8 : position + 8 + length])
        position += 8 + length
    if b"JSON" not in found:
        raise broken("it has no description")
    return found[b"JSON"], found.get(b"BIN\0")


def _check_extensions(required: list[Any]) -> None:
    unknown = [str(name)[:60] for name in required if name not in UNDERSTOOD_EXTENSIONS]
    unknown = [name for name in unknown if not name.startswith(HARMLESS_PREFIXES)]
    if unknown:
        raise OmagenError(
            ErrorCode.INPUT,
            f"{KNOWN_NAMES.get(unknown[0], 'This kind of glTF')} is not supported (it needs {', '.join(unknown)}).",
            "Save it without that extension, for example by importing it into Blender and exporting it as plain GLB.",
        )


def typed(value: Any, kind: type[T], what: str) -> T:
    """`value`, if it is a `kind`."""
    if not isinstance(value, kind):
        raise broken(f"{what} is missing or of a wrong type")
    return value


def integer(value: Any, what: str) -> int:
    """`value`, if it is a whole number from 0 to 2^53."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 2**53:
        raise broken(f"{what} is {str(value)[:20]}")
    return value


def numbers(value: Any, length: int, what: str) -> list[float]:
    """`value`, if it is a list of `length` finite numbers."""
    if not isinstance(value, list) or len(value) != length:
        raise broken(f"{what} is not a list of {length} numbers")
    return [number(item, what) for item in value]


def number(value: Any, what: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e30:
        raise broken(f"{what} is {str(value)[:20]}")
    return float(value)


def broken(problem: str) -> OmagenError:
    """The error for a file that contradicts its format."""
    return OmagenError(ErrorCode.INPUT, f"It is damaged: {problem}.", "Save it again from the program it came from.")
