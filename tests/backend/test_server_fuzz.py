"""Arbitrary JSON and arbitrary bytes: the server answers sense with a job, nonsense with an error, and lives on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from server_process import Answer, RunningServer, running_server

_SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30)
_JSON = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4)
)
_ALMOST_REQUESTS = st.fixed_dictionaries(
    {"engine": st.just("fake") | _JSON},
    optional={
        "inputs": st.dictionaries(st.sampled_from(["image", "text", "mask", ""]), st.text(max_size=80)) | _JSON,
        "parameters": st.dictionaries(st.sampled_from(["seconds", "megabytes", "shiny", "behaviour", "x"]), _SCALARS)
        | _JSON,
        "seed": st.integers(-1, 2**31) | _JSON,
        "device": st.sampled_from(["auto", "cpu", "cuda"]) | _JSON,
        "name": st.text(st.characters(), max_size=210) | _JSON,
        "extra": _JSON,
    },
)
_FEW = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running_server(tmp_path_factory.mktemp("fuzz")) as server:
        yield server
        assert server.ask("GET", "/v1/health").status == 200
        assert "Exception in ASGI application" not in (server.data / "server.log").read_text()


def _check(server: RunningServer, answer: Answer) -> None:
    if answer.status == 201:
        server.ask("POST", f"/v1/jobs/{answer.json['id']}/cancel")
    else:
        assert answer.status == 422, answer.body
        assert answer.error["code"] == "input"


@given(body=_JSON)
@_FEW
def test_any_json_is_answered(server: RunningServer, body: Any) -> None:
    _check(server, server.ask("POST", "/v1/jobs", body if body is not None else b"null"))


@given(body=_ALMOST_REQUESTS)
@_FEW
def test_anything_like_a_request_is_answered(server: RunningServer, body: Any) -> None:
    _check(server, server.ask("POST", "/v1/jobs", body))


@given(body=st.binary(max_size=200))
@_FEW
def test_any_bytes_are_answered(server: RunningServer, body: bytes) -> None:
    _check(server, server.ask("POST", "/v1/jobs", body))


@given(path=st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="?#"), max_size=60))
@_FEW
def test_any_path_is_answered(server: RunningServer, path: str) -> None:
    answer = server.ask("GET", f"/v1/jobs/{path}")
    assert answer.status in {404, 405, 400}, answer.body
