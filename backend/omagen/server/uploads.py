"""Reading request bodies: bounded, and without ever holding a large one in memory."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.concurrency import contextmanager_in_threadpool, run_in_threadpool
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from omagen.jobs.blobs import BLOB_LIMIT
from omagen.protocol import ErrorCode, OmagenError
from omagen.server.replies import Refusal, Reply
from omagen.server.services import Injected

router = APIRouter(prefix="/v1")

JSON_LIMIT: Final = 2**20
_CHUNK: Final = 2**20
_DRAIN_BYTES: Final = 2**30
_DRAIN_S: Final = 5.0


@router.post("/blobs")
async def upload(request: Request, services: Injected) -> Response:
    """Store the raw body; its id is the SHA-256 of its content, so the same file twice is one file."""
    size = 0
    async with contextmanager_in_threadpool(services.store.blobs.writer()) as writer:
        async for chunk in _chunks(request, BLOB_LIMIT):
            size += len(chunk)
            await run_in_threadpool(writer.write, chunk)
        if not size:
            raise OmagenError(ErrorCode.INPUT, "The upload is empty.", "Choose a file that has content.")
    return Reply({"id": writer.close(), "size": size}, HTTPStatus.CREATED)


async def read_json(request: Request) -> Any:
    """The body as JSON; raises `Refusal` (413) or `OmagenError` (input)."""
    body = b"".join([chunk async for chunk in _chunks(request, JSON_LIMIT)])
    try:
        return json.loads(body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise OmagenError(ErrorCode.INPUT, f"The request is not valid JSON: {str(error)[:200]}.") from error


async def _chunks(request: Request, limit: int) -> AsyncIterator[bytes]:
    """The body in pieces of about a MiB, for fewer trips to other threads; a body beyond `limit` raises `Refusal`."""
    declared = request.headers.get("content-length", "0")
    if int(declared) > limit:
        await _refuse_body(request.stream(), limit)
    size, waiting = 0, bytearray()
    stream = request.stream()
    async for part in stream:
        size += len(part)
        if size > limit:
            await _refuse_body(stream, limit)
        waiting += part
        if len(waiting) >= _CHUNK:
            yield bytes(waiting)
            waiting.clear()
    if waiting:
        yield bytes(waiting)


async def _refuse_body(stream: AsyncIterator[bytes], limit: int) -> None:
    """Raise the 413, but read on for a while first: most clients read no answer before they have sent everything."""
    end, read = time.monotonic() + _DRAIN_S, 0
    try:
        async for part in stream:
            read += len(part)
            if read > _DRAIN_BYTES or time.monotonic() > end:
                break
    except ClientDisconnect:
        pass  # nobody is left to answer; the refusal below goes to the log at most
    unit, name = (2**20, "MiB") if limit >= 2**20 else (2**10, "KiB")
    error = OmagenError(ErrorCode.INPUT, f"The request is larger than {limit // unit} {name}.", "Send a smaller file.")
    raise Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, error)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")
