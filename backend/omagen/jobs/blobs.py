"""Uploaded files, stored once under the SHA-256 of their content."""

from __future__ import annotations

import hashlib
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from omagen.protocol import ErrorCode, OmagenError

BLOB_LIMIT = 256 * 2**20
"""Bytes; larger uploads are refused."""
_ID = re.compile(r"[0-9a-f]{64}")
_CHUNK = 2**20


class BlobWriter:
    """Takes the bytes of one upload; the id exists once they are all written."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("xb")
        self._hash = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes) -> None:
        """Append `data`; raises `OmagenError` (input) past `BLOB_LIMIT`, `OSError` if the disk refuses."""
        self.size += len(data)
        if self.size > BLOB_LIMIT:
            raise OmagenError(
                ErrorCode.INPUT, f"The file is larger than {BLOB_LIMIT // 2**20} MiB.", "Reduce it and try again."
            )
        self._hash.update(data)
        self._file.write(data)

    def close(self) -> str:
        self._file.close()
        return self._hash.hexdigest()


class BlobStore:
    """The folder `blobs` of a data folder. Safe for several processes: a blob appears whole, by renaming."""

    def __init__(self, data: Path) -> None:
        self.folder = data / "blobs"
        self.folder.mkdir(parents=True, exist_ok=True)

    @contextmanager
    def writer(self) -> Iterator[BlobWriter]:
        """A writer whose content becomes a blob when the block ends well and leaves nothing behind when it does not."""
        part = self.folder / f".{secrets.token_hex(8)}.part"
        writer = BlobWriter(part)
        try:
            yield writer
            part.replace(self.folder / writer.close())
        except BaseException:
            # Closing flushes what is buffered, which fails again on a full disk: the partial file must go all the same.
            try:
                writer.close()
            except OSError:
                pass
            finally:
                part.unlink(missing_ok=True)
            raise

    def add(self, source: Path | bytes) -> str:
        """Store a file's content or bytes; returns the blob's id."""
        with self.writer() as writer:
            if isinstance(source, bytes):
                writer.write(source)
            else:
                with source.open("rb") as file:
                    while chunk := file.read(_CHUNK):
                        writer.write(chunk)
        return writer.close()

    def path(self, id: str) -> Path:
        """The file of blob `id`; raises `OmagenError` (input) for an id that is malformed or not there."""
        if _ID.fullmatch(id) and (path := self.folder / id).is_file():
            return path
        raise OmagenError(ErrorCode.INPUT, f"There is no uploaded file {id[:64]!r}.", "Upload it again.")

    def delete(self, id: str) -> None:
        if _ID.fullmatch(id):
            (self.folder / id).unlink(missing_ok=True)

    def sweep(self, used: set[str], older_than_s: float = 24 * 3600) -> None:
        """Remove what no job uses, and what dead uploads left, once it is older than `older_than_s`."""
        limit = time.time() - older_than_s
        for path in self.folder.iterdir():
            if path.name not in used and path.stat().st_mtime < limit:
                path.unlink(missing_ok=True)
