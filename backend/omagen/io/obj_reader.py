"""Reads Wavefront OBJ: polygons, UVs, normals, vertex colours, and materials from MTL files beside it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from omagen.geometry.color import to_linear
from omagen.io.mesh_parts import check_triangles, unit_normals
from omagen.io.mtl_reader import read_mtl
from omagen.protocol import ErrorCode, OmagenError
from omagen.shapes import Material, Mesh

MAX_CORNERS: Final = 1000
"""Of one polygon."""


class _Group(NamedTuple):
    """What makes face lines a table: one material, one corner count, one of `1`, `1/2`, `1//3`, `1/2/3` per corner."""

    material: str
    corners: int
    has_uv: bool
    has_normal: bool


@dataclass
class _Lines:
    """Lines of one kind, without their keyword, and their numbers in the file."""

    text: list[str] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)


@dataclass
class _File:
    """The lines of an OBJ file by kind."""

    vectors: dict[str, _Lines] = field(default_factory=lambda: {kind: _Lines() for kind in ("v", "vt", "vn")})
    faces: dict[_Group, _Lines] = field(default_factory=dict)
    libraries: list[str] = field(default_factory=list)
    material: str = ""

    def add(self, keyword: str, rest: str, number: int) -> None:
        if keyword in self.vectors:
            lines = self.vectors[keyword]
        elif keyword == "f":
            words = rest.partition("#")[0].split()
            if not 3 <= len(words) <= MAX_CORNERS:
                raise _broken(number, f"a face has {len(words)} corners")
            rest = " ".join(self._absolute(word, number) for word in words) if "-" in rest else " ".join(words)
            parts = words[0].split("/")
            group = _Group(self.material, len(words), len(parts) > 1 and parts[1] != "", len(parts) > 2)
            lines = self.faces.setdefault(group, _Lines())
        else:
            if keyword == "usemtl":
                self.material = rest.strip()
            elif keyword == "mtllib":
                self.libraries.append(rest.strip())
            return
        lines.text.append(rest)
        lines.numbers.append(number)

    def _absolute(self, word: str, number: int) -> str:
        """A corner with relative indices (-1 is the latest vertex so far) in absolute ones."""
        counts = [len(lines.text) for lines in self.vectors.values()]
        parts = word.split("/")
        try:
            found = [int(p) + 1 + n if p.startswith("-") else p for p, n in zip(parts, counts, strict=False)]
        except ValueError as error:
            raise _broken(number, f"{word[:40]!r} is not a corner of a face") from error
        return "/".join(map(str, found))


def read_obj(path: Path, data: bytes, warn: Callable[[str], None]) -> Mesh:
    """The mesh in `data`, the content of `path`; polygons become fans of triangles, in the order of their materials.

    Raises `OmagenError` (input), naming the line that cannot be read.
    """
    file = _File()
    for number, line in enumerate(data.decode("utf-8", "replace").replace("\\\n", " ").splitlines(), 1):
        keyword, *rest = line.split(None, 1)[:2] or ("",)
        file.add(keyword, rest[0] if rest else "", number)
    positions = _table(file.vectors["v"], (0, 1, 2), np.float64, "a vertex is not three numbers")
    uvs = _table(file.vectors["vt"], (0, 1), np.float64, "a texture coordinate is not two numbers")
    normals = _table(file.vectors["vn"], (0, 1, 2), np.float64, "a normal is not three numbers")
    check_triangles(sum(len(lines.text) * (group.corners - 2) for group, lines in file.faces.items()))
    names = list(dict.fromkeys(group.material for group in file.faces))
    faces, face_uv, face_normals, material_index = [], [], [], []
    for group, lines in sorted(file.faces.items(), key=lambda item: names.index(item[0].material)):
        vertex, uv, normal = _corners(group, lines, (len(positions), len(uvs), len(normals)))
        faces.append(vertex)
        face_uv.append(np.zeros((*vertex.shape, 2)) if uv is None else uvs[uv])
        face_normals.append(None if normal is None else normals[normal])
        material_index.append(np.full(len(vertex), names.index(group.material), np.int32))
    known = read_mtl(path, file.libraries, warn)
    has_uv, has_normals = any(g.has_uv for g in file.faces), bool(faces) and all(g.has_normal for g in file.faces)
    return Mesh(
        vertices=np.ascontiguousarray(positions, np.float32),
        faces=np.concatenate([np.zeros((0, 3), np.int32), *faces]).astype(np.int32),
        uv=np.concatenate(face_uv).astype(np.float32) if has_uv else None,
        normals=unit_normals(np.concatenate(face_normals)) if has_normals else None,
        colors=_colors(file.vectors["v"]),
        material_index=np.concatenate(material_index) if len(names) > 1 else None,
        materials=tuple(known.get(name) or Material(name=name or "default") for name in names),
        name="",
    )


def _corners(
    group: _Group, lines: _Lines, counts: tuple[int, int, int]
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
    """The corners of a group's triangles as indices of vertices, UVs and normals, (F, 3) int64 each, or None."""
    used = [0, *([1] if group.has_uv else []), *([2] if group.has_normal else [])]
    spaced = _Lines([text.replace("/", " ") for text in lines.text], lines.numbers)
    width = len(used) * group.corners
    table = _table(spaced, tuple(range(width)), np.int64, "a face is not a list of indices")
    if any(len(text.split()) != width for text in spaced.text):
        number = next(n for t, n in zip(spaced.text, lines.numbers, strict=True) if len(t.split()) != width)
        raise _broken(number, "the corners of a face differ in what they name")
    table = table.reshape(len(table), group.corners, len(used)) - 1
    limits = np.array([counts[kind] for kind in used])
    wrong = ((table < 0) | (table >= limits)).any((1, 2))
    if wrong.any():
        raise _broken(lines.numbers[int(np.argmax(wrong))], "a face uses a vertex that does not exist")
    step = np.arange(1, group.corners - 1)
    fan = np.stack([np.zeros_like(step), step, step + 1], axis=1)
    found: list[np.ndarray | None] = [None, None, None]
    for column, kind in enumerate(used):
        found[kind] = table[:, fan, column].reshape(-1, 3)
    assert found[0] is not None
    return found[0], found[1], found[2]


def _table(lines: _Lines, columns: tuple[int, ...], dtype: Any, problem: str) -> np.ndarray:
    """(N, columns) of the numbers in `lines`."""
    if not lines.text:
        return np.zeros((0, len(columns)), dtype)
    try:
        table = np.loadtxt(lines.text, dtype, usecols=columns, ndmin=2)
        if len(table) == len(lines.text):
            return table
    except ValueError:
        pass
    raise _broken(_first_wrong(lines, columns, dtype), problem)


def _first_wrong(lines: _Lines, columns: tuple[int, ...], dtype: Any) -> int:
    for text, number in zip(lines.text, lines.numbers, strict=True):
        try:
            if len(np.array(text.partition("#")[0].split()[: max(columns) + 1]).astype(dtype)) <= max(columns):
                return number
        except ValueError:
            return number
    return lines.numbers[0]


def _colors(lines: _Lines) -> np.ndarray | None:
    """(V, 4) float32, linear, from the widespread extension `v x y z r g b`; None unless every vertex has it."""
    if not lines.text or len(lines.text[0].split()) < 6:
        return None
    try:
        table = np.loadtxt(lines.text, np.float64, usecols=(3, 4, 5), ndmin=2)
    except ValueError:
        return None
    rgba = np.ones((len(table), 4), np.float32)
    rgba[:, :3] = to_linear(table.clip(0, 1))
    return rgba


def _broken(line: int, problem: str) -> OmagenError:
    return OmagenError(ErrorCode.INPUT, f"Line {line} of it cannot be read: {problem}.", "Save it again, or as GLB.")
