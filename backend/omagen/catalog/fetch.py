"""Fetches one file over HTTP: resumes, survives a flaky connection, accepts nothing but the published bytes."""

from __future__ import annotations

import errno
import hashlib
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
from omagen.catalog.models import Model
from omagen.protocol import ErrorCode, OmagenError

log = logging.getLogger(__name__)

_CHUNK: Final = 2**18
_TIMEOUT_S: Final = 20.0
_ATTEMPTS: Final = 3
"""In a row without a single new byte."""
_SPARE: Final = 64 * 2**20
"""Bytes of disk that a download leaves free."""

OnProgress = Callable[[float], None]
"""Is told the fraction that is there, often; raises `OmagenError` (cancelled) to break off."""


def fetch(model: Model, path: Path, on_progress: OnProgress) -> None:
    """Download a model to `path`. What has arrived stays in `path` + `.part` when it is broken off, to be resumed.

    Raises `OmagenError`: environment (network, disk), model (not the published bytes), or what `on_progress` raises.
    """
    part = part_path(path)
    try:
        part.parent.mkdir(parents=True, exist_ok=True)
        _check_space(model, part)
        _receive_all(model, part, on_progress)
        _verify(model, part)
        part.replace(path)
    except OSError as error:
        raise _disk_error(model, error) from error


def part_path(path: Path) -> Path:
    return path.with_name(path.name + ".part")


def _receive_all(model: Model, part: Path, on_progress: OnProgress) -> None:
    failures = 0
    while (before := _size(part)) < model.size:
        try:
            _receive(model, part, on_progress)
        except urllib.error.HTTPError as error:
            error.close()
            raise _refused(model, error.code) from error
        except (http.client.HTTPException, urllib.error.URLError, TimeoutError, ConnectionError) as error:
            log.warning("the connection to %s failed", model.url, exc_info=True)
            failures = 0 if _size(part) > before else failures + 1
            if failures == _ATTEMPTS:
                raise _unreachable(model, error) from error
            time.sleep(0.5 * failures)


def _receive(model: Model, part: Path, on_progress: OnProgress) -> None:
    """Append to `part` until the answer ends; begin anew where the server does not continue."""
    have = _size(part)
    headers = {"User-Agent": f"omagen/{__version__}", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    request = urllib.request.Request(model.url, headers=headers)
    with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:
        continues = answer.headers.get("Content-Range", "").startswith(f"bytes {have}-")
        if not continues:
            have = 0
        with part.open("ab" if continues else "wb") as file:
            on_progress(have / model.size)
            while chunk := answer.read(_CHUNK):
                have += len(chunk)
                if have > model.size:
                    break
                file.write(chunk)
                on_progress(have / model.size)
    if have > model.size:
        part.unlink(missing_ok=True)
        raise _damaged(model, "it is longer than published")
    if have < model.size:
        raise http.client.IncompleteRead(b"", model.size - have)


def _verify(model: Model, part: Path) -> None:
    with part.open("rb") as file:
        digest = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    if part.stat().st_size != model.size or digest != model.md5:
        part.unlink()
        raise _damaged(model, f"its MD5 is {digest}, published is {model.md5}")


def _check_space(model: Model, part: Path) -> None:
    free = shutil.disk_usage(part.parent).free
    needed = model.size - _size(part) + _SPARE
    if free < needed:
        raise OmagenError(
            ErrorCode.ENVIRONMENT,
            f"There is not enough space for {model.title}: {needed // 10**6} MB needed, {free // 10**6} MB free.",
            "Free some space or choose another data folder.",
        )


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _damaged(model: Model, reason: str) -> OmagenError:
    return OmagenError(
        ErrorCode.MODEL,
        f"The download of {model.title} ({model.file}) is damaged: {reason}. It was removed.",
        "Download it again. If that does not help, something between here and the publisher changes the file.",
    )


def _refused(model: Model, status: int) -> OmagenError:
    return OmagenError(
        ErrorCode.ENVIRONMENT,
        f"The publisher of {model.title} answered with status {status} for {model.url}.",
        "Try again later, or put the file into the models folder by hand.",
    )


def _unreachable(model: Model, error: Exception) -> OmagenError:
    reason = getattr(error, "reason", None) or str(error) or type(error).__name__
    return OmagenError(
        ErrorCode.ENVIRONMENT,
        f"{model.title} could not be downloaded: {reason}.",
        "Check the connection and download again: it goes on where it stopped.",
    )


def _disk_error(model: Model, error: OSError) -> OmagenError:
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        reason, remedy = "the disk is full", "Free some space and download again: it goes on where it stopped."
    else:
        reason, remedy = error.strerror or type(error).__name__, "Check the data folder's disk and permissions."
    return OmagenError(ErrorCode.ENVIRONMENT, f"{model.title} could not be stored: {reason}.", remedy)
