"""GET /v1/engines: what every installed engine takes and gives."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from omagen.engines import describe_engines
from omagen.server.replies import Reply

router = APIRouter(prefix="/v1")


@router.get("/engines")
def engines() -> Response:
    return Reply({"engines": [info.to_json() for info in describe_engines()]})
