"""The job routes: submit, list, follow, cancel, fetch the files, delete."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, Query, Request
from fastapi.concurrency import run_in_threadpool
from starlette.responses import FileResponse, Response, StreamingResponse

from omagen import protocol
from omagen.engines import describe_engine
from omagen.jobs.result import result_folder
from omagen.jobs.store import Store
from omagen.protocol import ErrorCode, Event, Job, JobState, OmagenError
from omagen.server.replies import Refusal, Reply, refusing
from omagen.server.services import Injected, Services
from omagen.server.uploads import read_json

router = APIRouter(prefix="/v1/jobs")

HEARTBEAT_S: Final = 1.0
_MEDIA_TYPES: Final = {
    ".glb": "model/gltf-binary",
    ".json": "application/json",
    ".png": "image/png",
    ".txt": "text/plain",
}
LastSeq = Annotated[int, Query(ge=0, lt=2**63)]


@router.post("")
async def submit(request: Request, services: Injected) -> Response:
    data = await read_json(request)
    job = await run_in_threadpool(_submit, services, data)
    return Reply(job.to_json(), HTTPStatus.CREATED)


def _submit(services: Services, data: Any) -> Job:
    request = protocol.Request.from_json(data)
    info = describe_engine(request.engine)
    if info.problem:
        raise OmagenError(ErrorCode.ENVIRONMENT, f"The engine {info.title!r} cannot run here.", info.problem)
    request = request.checked(info)
    for spec in info.inputs:
        if spec.kind.is_file and request.inputs.get(spec.id):
            services.store.blobs.path(request.inputs[spec.id])
    return services.queue.submit(request)


@router.get("")
def jobs(services: Injected, limit: Annotated[int, Query(ge=1, le=1000)] = 100) -> Response:
    return Reply({"jobs": [job.to_json() for job in services.store.jobs(limit)]})


@router.get("/{id}")
def job(id: str, services: Injected) -> Response:
    return Reply(_job(services.store, id).to_json())


@router.delete("/{id}")
def delete(id: str, services: Injected) -> Response:
    _job(services.store, id)
    with refusing(HTTPStatus.CONFLICT):
        services.store.delete(id)
    return Response(status_code=HTTPStatus.NO_CONTENT)


@router.post("/{id}/cancel")
def cancel(id: str, services: Injected) -> Response:
    with refusing(HTTPStatus.NOT_FOUND):
        return Reply(services.queue.cancel(id).to_json())


@router.get("/{id}/files/{name:path}")
def file(id: str, name: str, services: Injected) -> Response:
    """One file of the result. Only names that the job lists are served, so no path can lead elsewhere."""
    job = _job(services.store, id)
    path = result_folder(services.data, job.id) / name
    if name not in job.files or not path.is_file():
        raise Refusal(HTTPStatus.NOT_FOUND, OmagenError(ErrorCode.INPUT, f"The job has no file {name[:200]!r}."))
    media_type = _MEDIA_TYPES.get(path.suffix, "application/octet-stream")
    return FileResponse(path, media_type=media_type, headers={"X-Content-Type-Options": "nosniff"})


@router.get("/{id}/events")
async def events(
    id: str, services: Injected, after: LastSeq = 0, last_event_id: Annotated[int, Header(ge=0, lt=2**63)] = 0
) -> Response:
    """The job's events after `after` as server-sent events: what is stored, then what comes, until the end state."""
    await run_in_threadpool(_job, services.store, id)
    stream = _stream(services, id, max(after, last_event_id))
    return StreamingResponse(stream, media_type="text/event-stream", headers={"Cache-Control": "no-store"})


async def _stream(services: Services, id: str, last: int) -> AsyncIterator[bytes]:
    with services.hub.signal(id) as signal:
        while not services.hub.closed:
            signal.clear()
            found, ended = await run_in_threadpool(_events_after, services.store, id, last)
            if found:
                last = found[-1].seq
                yield b"".join(map(_encode, found))
            if ended:
                return
            try:
                # Jobs that another process runs on this data folder give no signal: the heartbeat finds their events.
                await asyncio.wait_for(signal.wait(), HEARTBEAT_S)
            except TimeoutError:
                yield b": heartbeat\n\n"


def _events_after(store: Store, id: str, last: int) -> tuple[list[Event], bool]:
    """New events, and whether no more will come. The state is read first, so an end seen is an end delivered."""
    try:
        ended = store.job(id).state.ended
    except OmagenError:
        return [], True  # deleted meanwhile
    found = store.events(id, last)
    return found, ended or any(e.kind == "state" and JobState(e.data["state"]).ended for e in found)


def _encode(event: Event) -> bytes:
    return f"id: {event.seq}\nevent: {event.kind}\ndata: {json.dumps(event.to_json())}\n\n".encode()


def _job(store: Store, id: str) -> Job:
    with refusing(HTTPStatus.NOT_FOUND):
        return store.job(id)
