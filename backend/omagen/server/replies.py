"""How the server answers: plain JSON, and every error in the same shape with a fitting status."""

from __future__ import annotations

import errno
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from omagen.protocol import ErrorCode, OmagenError

log = logging.getLogger(__name__)

STATUS = {
    ErrorCode.INPUT: HTTPStatus.UNPROCESSABLE_ENTITY,
    ErrorCode.GEOMETRY: HTTPStatus.UNPROCESSABLE_ENTITY,
    ErrorCode.MODEL: HTTPStatus.CONFLICT,
    ErrorCode.CANCELLED: HTTPStatus.CONFLICT,
    ErrorCode.MEMORY: HTTPStatus.INSUFFICIENT_STORAGE,
    ErrorCode.ENVIRONMENT: HTTPStatus.INTERNAL_SERVER_ERROR,
}
_DISK_FULL = {errno.ENOSPC, errno.EDQUOT}


class Refusal(Exception):
    """An `OmagenError` whose HTTP status is not the usual one of its code."""

    def __init__(self, status: int, error: OmagenError) -> None:
        super().__init__(str(error))
        self.status = status
        self.error = error


class Reply(JSONResponse):
    """JSON in ASCII: whatever a user types, lone surrogates included, comes back."""

    def render(self, content: Any) -> bytes:
        return json.dumps(content, separators=(",", ":")).encode("ascii")


@contextmanager
def refusing(status: HTTPStatus) -> Iterator[None]:
    """Answer an `OmagenError` (input) raised inside with `status`."""
    try:
        yield
    except OmagenError as error:
        if error.code is not ErrorCode.INPUT:
            raise
        raise Refusal(status, error) from error


def error_reply(error: OmagenError, status: int) -> Reply:
    return Reply({"error": error.to_json()}, status)


def add_error_replies(app: FastAPI) -> None:
    """Turn every exception that can leave a route into an error reply."""

    @app.exception_handler(OmagenError)
    async def omagen_error(request: Request, error: OmagenError) -> Reply:
        return error_reply(error, _status(error))

    @app.exception_handler(Refusal)
    async def refusal(request: Request, error: Refusal) -> Reply:
        return error_reply(error.error, error.status)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Reply:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        return error_reply(OmagenError(ErrorCode.INPUT, f"{where}: {first['msg']}."), HTTPStatus.UNPROCESSABLE_ENTITY)

    @app.exception_handler(HTTPException)
    async def http_error(request: Request, error: HTTPException) -> Reply:
        message = f"{request.method} {request.url.path[:200]}: {error.detail}."
        reply = error_reply(OmagenError(ErrorCode.INPUT, message), error.status_code)
        reply.headers.update(error.headers or {})
        return reply

    @app.exception_handler(OSError)
    async def system_error(request: Request, error: OSError) -> Reply:
        log.error("%s %s failed", request.method, request.url.path, exc_info=error)
        if error.errno in _DISK_FULL:
            return error_reply(disk_full(), HTTPStatus.INSUFFICIENT_STORAGE)
        message = f"The system refused: {error.strerror or type(error).__name__}."
        remedy = "Check the data folder's disk and permissions."
        return error_reply(OmagenError(ErrorCode.ENVIRONMENT, message, remedy), HTTPStatus.INTERNAL_SERVER_ERROR)

    @app.exception_handler(Exception)
    async def unforeseen(request: Request, error: Exception) -> Reply:
        # Starlette raises it again after this reply, so uvicorn logs the traceback.
        message = f"The backend met an unexpected {type(error).__name__}."
        remedy = "The backend's log has the details."
        return error_reply(OmagenError(ErrorCode.ENVIRONMENT, message, remedy), HTTPStatus.INTERNAL_SERVER_ERROR)


def disk_full() -> OmagenError:
    return OmagenError(
        ErrorCode.ENVIRONMENT,
        "The disk with Omagen's data folder is full.",
        "Free some space, delete old jobs, or choose another data folder, then try again.",
    )


def _status(error: OmagenError) -> HTTPStatus:
    if error.code is ErrorCode.ENVIRONMENT and "is full" in error.message:
        return HTTPStatus.INSUFFICIENT_STORAGE
    return STATUS[error.code]
