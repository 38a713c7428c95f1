"""Only who knows the token gets in, and every refusal has the same shape."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from omagen import __version__
from omagen.protocol import PROTOCOL_VERSION, EngineInfo
from server_process import RunningServer, running_server

ROUTES = [
    ("GET", "/v1/health"),
    ("GET", "/v1/engines"),
    ("POST", "/v1/blobs"),
    ("POST", "/v1/jobs"),
    ("GET", "/v1/jobs"),
    ("GET", "/v1/jobs/0"),
    ("DELETE", "/v1/jobs/0"),
    ("GET", "/v1/jobs/0/events"),
    ("POST", "/v1/jobs/0/cancel"),
    ("GET", "/v1/jobs/0/files/object.glb"),
    ("GET", "/v1/models"),
    ("POST", "/v1/models/u2net/download"),
    ("DELETE", "/v1/models/u2net"),
    ("GET", "/v1/openapi.json"),
    ("POST", "/v1/shutdown"),
    ("GET", "/"),
    ("GET", "/v1/nothing"),
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running_server(tmp_path_factory.mktemp("access")) as server:
        yield server


def test_health_says_who_is_here_and_how_busy_it_is(server: RunningServer) -> None:
    health = server.ask("GET", "/v1/health").json
    assert health["name"] == "omagen"
    assert (health["version"], health["protocol"]) == (__version__, PROTOCOL_VERSION)
    assert (health["pid"], health["data"]) == (server.process.pid, str(server.data))
    assert health["worker"] in {"starting", "idle"}
    assert health["waiting"] == 0
    assert health["devices"][0]["id"] == "cpu"
    assert health["devices"][0]["memory_mb"] > 100


@pytest.mark.parametrize(("method", "path"), ROUTES)
@pytest.mark.parametrize("header", [None, "", "Bearer ", "Bearer wrong", "Basic {token}", "{token}", "bearer {token}x"])
def test_no_route_answers_without_the_token(server: RunningServer, method: str, path: str, header: str | None) -> None:
    value = header and header.format(token=server.state.token)
    answer = server.ask(method, path, headers={"Authorization": value})  # type: ignore[dict-item]
    assert answer.status == 401
    assert answer.error["code"] == "input"
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1:1", "localhost.evil:{port}"]
)
def test_a_request_for_another_host_is_refused(server: RunningServer, host: str) -> None:
    answer = server.ask("GET", "/v1/health", headers={"Host": host.format(port=server.state.port)})
    assert answer.status == 403
    assert answer.error["code"] == "input"


@pytest.mark.parametrize("host", ["localhost:{port}", "LOCALHOST:{port}", "127.0.0.1:{port}"])
def test_the_own_names_are_accepted(server: RunningServer, host: str) -> None:
    assert server.ask("GET", "/v1/health", headers={"Host": host.format(port=server.state.port)}).status == 200


def test_web_pages_get_no_permission_to_read_answers(server: RunningServer) -> None:
    answer = server.ask("GET", "/v1/health", headers={"Origin": "http://localhost:3000"})
    assert not [name for name in answer.headers if name.lower().startswith("access-control")]


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/v1/nothing", 404), ("PUT", "/v1/jobs", 405)])
def test_unknown_routes_and_methods_get_an_error_of_the_usual_shape(
    server: RunningServer, method: str, path: str, status: int
) -> None:
    answer = server.ask(method, path)
    assert answer.status == status
    assert answer.error["code"] == "input"


def test_bytes_that_are_not_http_do_no_harm(server: RunningServer) -> None:
    for junk in (b"\x00" * 1000, b"GET / HTTP/9.9\r\n\r\n", b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n"):
        with socket.create_connection(("127.0.0.1", server.state.port), timeout=5) as connection:
            connection.sendall(junk)
            connection.shutdown(socket.SHUT_WR)
            connection.recv(1000)
    assert server.ask("GET", "/v1/health").status == 200


def test_engines_are_listed_even_when_some_are_broken(server: RunningServer) -> None:
    engines = {e["id"]: EngineInfo.from_json(e) for e in server.ask("GET", "/v1/engines").json["engines"]}
    assert engines["fake"].problem == ""
    assert "third-party code failed" in engines["broken"].problem
    assert "no_such_module" in engines["absent"].problem


@pytest.mark.skipif(os.name != "posix", reason="file modes mean little here")
def test_the_state_file_is_for_its_owner_only(server: RunningServer) -> None:
    assert (server.data / "server.json").stat().st_mode & 0o777 == 0o600


def test_the_token_is_in_no_log(server: RunningServer) -> None:
    server.ask("GET", "/v1/health")
    assert server.state.token not in (server.data / "server.log").read_text()


def test_the_server_imports_no_framework(tmp_path: Path) -> None:
    with running_server(tmp_path) as server:
        server.ask("GET", "/v1/engines")
        maps = Path(f"/proc/{server.process.pid}/maps")
        if not maps.exists():
            pytest.skip("needs /proc")
        loaded = maps.read_text()
    for library in ("torch", "scipy", "cv2", "skimage", "onnxruntime"):
        assert f"/{library}/" not in loaded, library
