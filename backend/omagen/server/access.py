"""Who may talk to the server: whoever knows the token and addresses it by its own name.

Plain ASGI middleware, so that streams pass through it without being copied or buffered.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from hmac import compare_digest
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from omagen.protocol import ErrorCode, OmagenError
from omagen.server.replies import error_reply

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

PARENT_HEADER: Final = b"x-omagen-parent"
_LARGEST_PID: Final = 2**31


class AccessGuard:
    """Lets a request pass if its `Host` is the server's (against DNS rebinding) and it carries the bearer token."""

    def __init__(
        self, app: ASGIApp, *, token: str, host: str, port: int, on_parent: Callable[[int], None] | None = None
    ) -> None:
        """`on_parent` is called with the process that a request names as one to live for."""
        self._app = app
        self._credentials = f"Bearer {token}".encode()
        self._on_parent = on_parent
        self._port = port
        names = {"127.0.0.1", "localhost", f"[{host}]" if ":" in host else host}
        self._hosts = {f"{name}:{port}".lower().encode() for name in names}
        self._any_address = host in {"0.0.0.0", "::"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        headers: list[tuple[bytes, bytes]] = scope["headers"]
        hosts = [value for name, value in headers if name == b"host"]
        given = next((value for name, value in headers if name == b"authorization"), b"")
        if not hosts or not all(map(self._is_ours, hosts)):
            reply = error_reply(_wrong_host(), HTTPStatus.FORBIDDEN)
        elif not compare_digest(given, self._credentials):
            reply = error_reply(_wrong_token(), HTTPStatus.UNAUTHORIZED)
            reply.headers["WWW-Authenticate"] = "Bearer"
        else:
            self._note_parent(headers)
            await self._app(scope, receive, send)
            return
        await reply(scope, receive, send)

    def _is_ours(self, host: bytes) -> bool:
        if host.lower() in self._hosts:
            return True
        if not self._any_address:
            return False
        # Listening on every address: any of them will do, for only names can be rebound.
        name, _, port = host.decode("latin-1").rpartition(":")
        try:
            ipaddress.ip_address(name.strip("[]"))
        except ValueError:
            return False
        return port == str(self._port)

    def _note_parent(self, headers: list[tuple[bytes, bytes]]) -> None:
        if self._on_parent is None:
            return
        value = next((value for name, value in headers if name == PARENT_HEADER), b"")
        if value.isdigit() and len(value) <= 10 and 0 < (pid := int(value)) < _LARGEST_PID:
            self._on_parent(pid)


def _wrong_host() -> OmagenError:
    return OmagenError(
        ErrorCode.INPUT, "The request is addressed to another host.", "Use the host and port that the server was given."
    )


def _wrong_token() -> OmagenError:
    return OmagenError(
        ErrorCode.INPUT, "The token is missing or wrong.", "Restart the backend, or set the token it was started with."
    )
