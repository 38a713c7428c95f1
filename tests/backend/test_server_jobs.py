"""Jobs over HTTP: submit, follow, cancel, fetch, delete."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from server_process import RunningServer, running_server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running_server(tmp_path_factory.mktemp("jobs")) as server:
        yield server


@pytest.fixture(scope="module")
def done(server: RunningServer) -> dict[str, Any]:
    """A job that has succeeded."""
    job = server.wait(server.submit("warn"))
    assert job["state"] == "succeeded", job["error"]
    return job


def test_a_job_has_its_parameters_completed_and_its_result_listed(done: dict[str, Any]) -> None:
    assert done["request"]["parameters"]["shiny"] is False
    assert done["result"]["report"]["triangles"] == 4
    assert done["warnings"] == ["The cut-out is approximate.", "The picture is small."]
    assert "object.glb" in done["files"]


def test_files_are_served_as_what_they_are(server: RunningServer, done: dict[str, Any]) -> None:
    glb = server.ask("GET", f"/v1/jobs/{done['id']}/files/object.glb")
    assert glb.body[:4] == b"glTF"
    assert glb.headers["content-type"] == "model/gltf-binary"
    preview = server.ask("GET", f"/v1/jobs/{done['id']}/files/preview.png")
    assert preview.body[1:4] == b"PNG"
    assert preview.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "name",
    [
        "../../server.json",
        "%2e%2e%2f%2e%2e%2fserver.json",
        "..%5c..%5cserver.json",
        "%2Fetc%2Fpasswd",
        "/etc/passwd",
        ".",
        "..",
        "",
        "object.glb/",
        "object.glb%00.png",
        "nothing.glb",
    ],
)
def test_nothing_but_the_jobs_own_files_can_be_read(server: RunningServer, done: dict[str, Any], name: str) -> None:
    answer = server.ask("GET", f"/v1/jobs/{done['id']}/files/{name}")
    assert answer.status == 404
    assert answer.error["code"] == "input"


@pytest.mark.parametrize(
    "id", ["nothing", "..", "%2e%2e", "..%2f..", "a" * 5000, "'; DROP TABLE jobs; --", "%00", "%ff"]
)
@pytest.mark.parametrize(
    ("method", "rest"), [("GET", ""), ("DELETE", ""), ("POST", "/cancel"), ("GET", "/events"), ("GET", "/files/a")]
)
def test_unknown_jobs_are_not_found(server: RunningServer, method: str, id: str, rest: str) -> None:
    answer = server.ask(method, f"/v1/jobs/{id.replace(' ', '%20')}{rest}")
    assert answer.status in {404, 405}
    assert answer.error["message"]


def test_events_can_be_followed_to_the_end(server: RunningServer) -> None:
    id = server.submit("sleep", seconds=0.5)
    events = server.events(id)
    assert [e["data"]["state"] for e in events if e["kind"] == "state"] == ["queued", "running", "succeeded"]
    assert any(e["kind"] == "progress" and e["data"]["stage"] for e in events)
    assert [e["seq"] for e in events] == sorted({e["seq"] for e in events})


def test_events_of_an_ended_job_are_replayed(server: RunningServer, done: dict[str, Any]) -> None:
    events = server.events(done["id"])
    assert events[-1]["data"]["state"] == "succeeded"
    assert [e["data"]["message"] for e in events if e["kind"] == "warning"] == done["warnings"]
    half = events[len(events) // 2]["seq"]
    assert server.events(done["id"], after=half) == [e for e in events if e["seq"] > half]
    assert server.events(done["id"], after=events[-1]["seq"]) == []


def test_a_stream_resumes_where_the_browser_header_says(server: RunningServer, done: dict[str, Any]) -> None:
    last = server.events(done["id"])[-1]["seq"]
    answer = server.ask("GET", f"/v1/jobs/{done['id']}/events", headers={"Last-Event-ID": str(last - 1)})
    assert answer.body.decode().startswith(f"id: {last}\nevent: state\n")


@pytest.mark.parametrize("after", ["-1", "x", "1e3", "99999999999999999999"])
def test_an_impossible_place_in_a_stream_is_refused(server: RunningServer, done: dict[str, Any], after: str) -> None:
    assert server.ask("GET", f"/v1/jobs/{done['id']}/events?after={after}").status == 422


def test_a_silent_stream_shows_that_it_is_alive(server: RunningServer) -> None:
    id = server.submit("stubborn", seconds=20)
    connection = http.client.HTTPConnection("127.0.0.1", server.state.port, timeout=10)
    connection.request("GET", f"/v1/jobs/{id}/events", headers={"Authorization": f"Bearer {server.state.token}"})
    reply = connection.getresponse()
    assert reply.headers["content-type"].startswith("text/event-stream")
    end = time.monotonic() + 10
    while not (line := reply.readline()).startswith(b":"):
        assert time.monotonic() < end, line
    connection.close()
    server.ask("POST", f"/v1/jobs/{id}/cancel")
    server.wait(id)


def test_many_streams_of_one_job_all_get_everything(server: RunningServer) -> None:
    from concurrent.futures import ThreadPoolExecutor

    id = server.submit("sleep", seconds=0.5)
    with ThreadPoolExecutor(20) as pool:
        streams = list(pool.map(lambda _: server.events(id), range(20)))
    states = [[e["data"]["state"] for e in stream if e["kind"] == "state"] for stream in streams]
    assert all(state == ["queued", "running", "succeeded"] for state in states)


@pytest.mark.parametrize("behaviour", ["sleep", "stubborn", "frozen"])
def test_cancelling_ends_the_job_and_its_stream(server: RunningServer, behaviour: str) -> None:
    id = server.submit(behaviour, seconds=60)
    while server.ask("GET", f"/v1/jobs/{id}").json["state"] == "queued":
        time.sleep(0.01)
    assert server.ask("POST", f"/v1/jobs/{id}/cancel").json["state"] in {"cancelling", "cancelled"}
    assert server.events(id)[-1]["data"]["state"] == "cancelled"
    assert server.ask("POST", f"/v1/jobs/{id}/cancel").json["state"] == "cancelled"


def test_only_ended_jobs_can_be_deleted(server: RunningServer) -> None:
    id = server.submit("sleep", seconds=30)
    answer = server.ask("DELETE", f"/v1/jobs/{id}")
    assert (answer.status, answer.error["code"]) == (409, "input")
    server.ask("POST", f"/v1/jobs/{id}/cancel")
    server.wait(id)
    assert server.ask("DELETE", f"/v1/jobs/{id}").status == 204
    assert server.ask("GET", f"/v1/jobs/{id}").status == 404
    assert not (server.data / "results" / id).exists()


@pytest.mark.parametrize("behaviour", ["raise", "refuse", "exit", "segfault", "out-of-memory"])
def test_whatever_happens_to_a_job_the_server_answers(server: RunningServer, behaviour: str) -> None:
    job = server.wait(server.submit(behaviour))
    assert job["state"] == "failed"
    assert job["error"]["message"]
    assert "Traceback" not in json.dumps(job)
    assert server.ask("GET", "/v1/health").status == 200


def test_jobs_are_listed_newest_first_and_limited(server: RunningServer, done: dict[str, Any]) -> None:
    second = server.submit()
    server.wait(second)
    ids = [job["id"] for job in server.ask("GET", "/v1/jobs?limit=1000").json["jobs"]]
    assert ids.index(second) < ids.index(done["id"])
    assert [job["id"] for job in server.ask("GET", "/v1/jobs?limit=1").json["jobs"]] == ids[:1]
    for limit in ("0", "-5", "1001", "x"):
        assert server.ask("GET", f"/v1/jobs?limit={limit}").status == 422


@pytest.mark.parametrize(
    ("request_", "hint"),
    [
        ({}, "engine"),
        ({"engine": "nothing"}, "no engine"),
        ({"engine": "fake", "inputs": {"image": "0" * 64}}, "no uploaded file"),
        ({"engine": "fake", "inputs": {"image": "../../server.json"}}, "no uploaded file"),
        ({"engine": "fake", "inputs": {"mesh": "x"}}, "takes no input"),
        ({"engine": "fake", "parameters": {"seconds": -1}}, "Seconds"),
        ({"engine": "fake", "parameters": {"seconds": "1"}}, "Seconds"),
        ({"engine": "fake", "parameters": {"megabytes": 10**400}}, "Megabytes"),
        ({"engine": "fake", "parameters": {"nothing": 1}}, "no parameter"),
        ({"engine": "fake", "parameters": {"behaviour": ["finish"]}}, "behaviour"),
        ({"engine": "fake", "seed": -1}, "seed"),
        ({"engine": "fake", "seed": 2**31}, "seed"),
        ({"engine": "fake", "seed": True}, "seed"),
        ({"engine": "fake", "device": "abacus"}, "no device"),
        ({"engine": "fake", "name": "x" * 201}, "name"),
        ({"engine": "fake", "name": "\ud800"}, "name"),
        ({"engine": "fake", "extra": 1}, "extra"),
        ([], "request"),
        ("fake", "request"),
        (None, "JSON"),
    ],
)
def test_requests_that_make_no_sense_are_refused_by_name(server: RunningServer, request_: Any, hint: str) -> None:
    answer = server.ask("POST", "/v1/jobs", request_)
    assert answer.status == 422
    assert answer.error["code"] == "input"
    assert hint in answer.error["message"]


def test_an_engine_that_cannot_run_says_why(server: RunningServer) -> None:
    answer = server.ask("POST", "/v1/jobs", {"engine": "broken"})
    assert answer.error["code"] == "environment"
    assert "third-party code failed" in answer.error["remedy"]


def test_models_are_listed_with_licence_and_state(server: RunningServer) -> None:
    models = {model["id"]: model for model in server.ask("GET", "/v1/models").json["models"]}
    assert models["u2net"]["licence"] == "Apache-2.0"
    assert models["u2net"]["commercial"] is True
    assert (models["u2net"]["state"], models["u2net"]["installed"]) == ("absent", False)
    assert server.ask("POST", "/v1/models/nothing/download").status == 404
    assert server.ask("DELETE", "/v1/models/nothing").status == 404
    assert server.ask("DELETE", "/v1/models/u2net").status == 204


def test_a_download_without_a_network_fails_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("https_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # nothing listens there
    with running_server(tmp_path) as server:
        begun = server.ask("POST", "/v1/models/u2netp/download")
        assert (begun.status, begun.json["id"]) == (202, "u2netp")
        end = time.monotonic() + 20
        while (model := _model(server, "u2netp"))["state"] == "downloading":
            assert time.monotonic() < end
            time.sleep(0.05)
        assert (model["state"], model["installed"]) == ("failed", False)
        assert model["error"]["code"] == "environment"
        assert model["error"]["remedy"]


def _model(server: RunningServer, id: str) -> dict[str, Any]:
    return next(model for model in server.ask("GET", "/v1/models").json["models"] if model["id"] == id)


def test_results_are_private_to_the_data_folder(server: RunningServer, done: dict[str, Any], tmp_path: Path) -> None:
    with running_server(tmp_path / "other") as other:
        assert other.ask("GET", f"/v1/jobs/{done['id']}").status == 404
