"""One file as its publisher states it: where it is, how long, with which hash."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

_CHUNK: Final = 2**20


@dataclass(frozen=True)
class RemoteFile:
    title: str
    """Of the model that it belongs to."""
    name: str
    """Its path in the model's folder, with `/`."""
    url: str
    size: int
    """Bytes."""
    algorithm: str
    """`md5`, `sha256`, or `git` for the id that git gives to a file's content."""
    digest: str
    """Hexadecimal."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Told to the publisher only, not to where it redirects to."""

    def digest_of(self, path: Path) -> str:
        """The digest of the file at `path`, by this file's algorithm."""
        if self.algorithm == "md5":
            hashed = hashlib.md5(usedforsecurity=False)
        elif self.algorithm == "sha256":
            hashed = hashlib.sha256()
        else:
            hashed = hashlib.sha1(f"blob {path.stat().st_size}\0".encode(), usedforsecurity=False)
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                hashed.update(chunk)
        return hashed.hexdigest()

    def is_at(self, path: Path) -> bool:
        """Whether exactly this file is there."""
        return path.is_file() and path.stat().st_size == self.size and self.digest_of(path) == self.digest
