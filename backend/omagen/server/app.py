"""Puts the application together: services, routes, access, errors."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from fastapi import FastAPI
from fastapi.concurrency import run_in_threadpool

from omagen import __version__
from omagen.catalog import Downloads
from omagen.devices import devices
from omagen.engines import describe_engines
from omagen.jobs.queue import Queue
from omagen.jobs.store import Store
from omagen.server import engines, health, jobs, models, uploads
from omagen.server.access import AccessGuard
from omagen.server.hub import EventHub
from omagen.server.replies import add_error_replies
from omagen.server.services import Services


@dataclass(frozen=True)
class Address:
    """Where the server is reached and what opens it."""

    host: str
    port: int
    token: str


def create_app(
    data: Path,
    address: Address,
    *,
    stop: Callable[[], None],
    on_parent: Callable[[int], None] | None = None,
) -> FastAPI:
    """The whole API over one data folder. `stop` ends the process; `on_parent` hears of processes to live for.

    Raises `OmagenError` (environment) for a data folder that cannot be used.
    """
    store = Store(data)
    services = Services(data, store, Queue(store), Downloads(data), EventHub(), stop)

    app = FastAPI(
        title="Omagen",
        version=__version__,
        openapi_url="/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=_lifespan,
    )
    app.state.services = services
    for module in (health, engines, uploads, jobs, models):
        app.include_router(module.router)
    add_error_replies(app)
    app.add_middleware(AccessGuard, token=address.token, host=address.host, port=address.port, on_parent=on_parent)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    services: Services = app.state.services
    services.hub.open(services.queue.subscribe)
    threading.Thread(target=_look_around, name="look around", daemon=True).start()
    await run_in_threadpool(services.queue.start)
    try:
        yield
    finally:
        services.downloads.close()
        await run_in_threadpool(services.queue.stop)
        await run_in_threadpool(services.store.close)


def _look_around() -> None:
    """Fill the caches of what takes a moment to find out, so that nobody waits for it and the start does not either."""
    devices()
    describe_engines()
