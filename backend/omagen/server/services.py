"""What the routes work with: one object per server, reached through FastAPI's dependency injection."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from fastapi import Depends, Request

from omagen.catalog import Downloads
from omagen.jobs.queue import Queue
from omagen.jobs.store import Store
from omagen.server.hub import EventHub


@dataclass(frozen=True)
class Services:
    data: Path
    store: Store
    queue: Queue
    downloads: Downloads
    hub: EventHub
    stop: Callable[[], None]
    """Asks the server to end; returns at once."""


async def _services(request: Request) -> Services:
    # `async`, so that FastAPI does not spend a thread on it.
    return request.app.state.services


Injected = Annotated[Services, Depends(_services)]
