"""GET /v1/health: who is here, and is it busy. Also the handshake by which a client recognises the server."""

from __future__ import annotations

import os
from dataclasses import asdict

from fastapi import APIRouter
from starlette.responses import Response

from omagen import __version__
from omagen.devices import devices
from omagen.protocol import PROTOCOL_VERSION
from omagen.server.replies import Reply
from omagen.server.services import Injected

router = APIRouter(prefix="/v1")


@router.get("/health")
def health(services: Injected) -> Response:
    return Reply(
        {
            "name": "omagen",
            "version": __version__,
            "protocol": PROTOCOL_VERSION,
            "pid": os.getpid(),
            "data": str(services.data),
            # Only those that jobs can be sent to: the queue has a worker for each.
            "devices": [asdict(device) for device in devices() if device.id in services.queue.devices],
            "worker": services.queue.worker_state,
            "waiting": services.queue.waiting,
        }
    )


@router.post("/shutdown")
async def shutdown(services: Injected) -> Response:
    services.stop()
    return Reply({"state": "ending"}, 202)
