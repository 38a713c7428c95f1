"""The model routes: which weights there are, fetch them, remove them."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import APIRouter
from starlette.responses import Response

from omagen.server.replies import Reply, refusing
from omagen.server.services import Injected

router = APIRouter(prefix="/v1/models")


@router.get("")
def models(services: Injected) -> Response:
    return Reply({"models": [status.to_json() for status in services.downloads.models()]})


@router.post("/{id}/download")
def download(id: str, services: Injected) -> Response:
    """Begin to fetch a model, or go on with a fetch that was broken off. The only route that uses the network."""
    with refusing(HTTPStatus.NOT_FOUND):
        return Reply(services.downloads.start(id).to_json(), HTTPStatus.ACCEPTED)


@router.delete("/{id}")
def delete(id: str, services: Injected) -> Response:
    """Remove a model; a download that is under way is cancelled."""
    with refusing(HTTPStatus.NOT_FOUND):
        services.downloads.delete(id)
    return Response(status_code=HTTPStatus.NO_CONTENT)
