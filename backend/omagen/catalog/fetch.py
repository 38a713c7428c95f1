"""Fetches one file over HTTP: resumes, survives a flaky connection, accepts nothing but the published bytes."""

from __future__ import annotations

import errno
import http.client
import logging
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Final

from omagen import __version__
from omagen.catalog.remote_file import RemoteFile
from omagen.protocol import ErrorCode, OmagenError

log = logging.getLogger(__name__)

_CHUNK: Final = 2**18
_TIMEOUT_S: Final = 20.0
_ATTEMPTS: Final = 3
"""In a row without a single new byte."""
_SPARE: Final = 64 * 2**20
"""Bytes of disk that a download leaves free."""

OnProgress = Callable[[int], None]
"""Is told the bytes that are there, often; raises `OmagenError` (cancelled) to break off."""


def fetch(remote: RemoteFile, path: Path, on_progress: OnProgress) -> None:
    """Download a file to `path`. What has arrived stays in `path` + `.part` when it is broken off, to be resumed.

    Raises `OmagenError`: environment (network, disk), model (not the published bytes), or what `on_progress` raises.
    """
    part = part_path(path)
    try:
        part.parent.mkdir(parents=True, exist_ok=True)
        check_space(remote.title, remote.size - _size(part), part.parent)
        part.touch()
        _receive_all(remote, part, on_progress)
        _verify(remote, part)
        part.replace(path)
    except OSError as error:
        raise _disk_error(remote, error) from error


def part_path(path: Path) -> Path:
    return path.with_name(path.name + ".part")


def _receive_all(remote: RemoteFile, part: Path, on_progress: OnProgress) -> None:
    failures = 0
    while (before := _size(part)) < remote.size:
        try:
            _receive(remote, part, on_progress)
        except urllib.error.HTTPError as error:
            error.close()
            raise _refused(remote, error.code) from error
        except (http.client.HTTPException, urllib.error.URLError, TimeoutError, ConnectionError) as error:
            log.warning("the connection to %s failed", remote.url, exc_info=True)
            failures = 0 if _size(part) > before else failures + 1
            if failures == _ATTEMPTS:
                raise _unreachable(remote, error) from error
            time.sleep(0.5 * failures)


def _receive(remote: RemoteFile, part: Path, on_progress: OnProgress) -> None:
    """Append to `part` until the answer ends; begin anew where the server does not continue."""
    have = _size(part)
    headers = {"User-Agent": f"omagen/{__version__}", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    request = urllib.request.Request(remote.url, headers=headers)
    for name, value in remote.headers.items():
        request.add_unredirected_header(name, value)
    with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:
        continues = answer.headers.get("Content-Range", "").startswith(f"bytes {have}-")
        if not continues:
            have = 0
        with part.open("ab" if continues else "wb") as file:
            on_progress(have)
            while chunk := answer.read(_CHUNK):
                have += len(chunk)
                if have > remote.size:
                    break
                file.write(chunk)
                on_progress(have)
    if have > remote.size:
        part.unlink(missing_ok=True)
        raise _damaged(remote, "it is longer than published")
    if have < remote.size:
        raise http.client.IncompleteRead(b"", remote.size - have)


def _verify(remote: RemoteFile, part: Path) -> None:
    digest = remote.digest_of(part)
    if part.stat().st_size != remote.size or digest != remote.digest:
        part.unlink()
        raise _damaged(remote, f"its {remote.algorithm} hash is {digest}, published is {remote.digest}")


def check_space(title: str, size: int, folder: Path) -> None:
    """Raises `OmagenError` (environment) where the disk of `folder` has no room for `size` more bytes."""
    free = shutil.disk_usage(folder).free
    needed = size + _SPARE
    if free < needed:
        raise OmagenError(
            ErrorCode.ENVIRONMENT,
            f"There is not enough space for {title}: {needed // 10**6} MB needed, {free // 10**6} MB free.",
            "Free some space or choose another data folder.",
        )


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _damaged(remote: RemoteFile, reason: str) -> OmagenError:
    return OmagenError(
        ErrorCode.MODEL,
        f"The download of {remote.title} ({remote.name}) is damaged: {reason}. It was removed.",
        "Download it again. If that does not help, something between here and the publisher changes the file.",
    )


def _refused(remote: RemoteFile, status: int) -> OmagenError:
    return OmagenError(
        ErrorCode.ENVIRONMENT,
        f"The publisher of {remote.title} answered with status {status} for {remote.url}.",
        "Try again later, or put the file into the models folder by hand.",
    )


def _unreachable(remote: RemoteFile, error: Exception) -> OmagenError:
    reason = getattr(error, "reason", None) or str(error) or type(error).__name__
    return OmagenError(
        ErrorCode.ENVIRONMENT,
        f"{remote.title} could not be downloaded: {reason}.",
        "Check the connection and download again: it goes on where it stopped.",
    )


def _disk_error(remote: RemoteFile, error: OSError) -> OmagenError:
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        reason, remedy = "the disk is full", "Free some space and download again: it goes on where it stopped."
    else:
        reason, remedy = error.strerror or type(error).__name__, "Check the data folder's disk and permissions."
    return OmagenError(ErrorCode.ENVIRONMENT, f"{remote.title} could not be stored: {reason}.", remedy)
