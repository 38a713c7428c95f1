"""Every malformed file through the real server: a clear error or a right result, in bounded time and memory."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from omagen_extension.addon.client.api import Client  # pyright: ignore[reportMissingImports]
from omagen_extension.addon.client.backend import Backend  # pyright: ignore[reportMissingImports]
from omagen_extension.backend.omagen.protocol import (  # pyright: ignore[reportMissingImports]
    ErrorCode,
    Job,
    JobState,
    OmagenError,
    Request,
)
from places import SHARED

FOLDER = SHARED / "assets" / "malformed"
PICTURES = sorted(p.name for p in FOLDER.glob("*") if p.suffix in {".png", ".jpg", ".gif", ".webp"})
MESHES = sorted(p.name for p in FOLDER.glob("*") if p.suffix in {".glb", ".gltf", ".obj", ".ply", ".stl"})
MERELY_ODD = {
    *("gray16.png", "gray_alpha.png", "palette_transparent.png", "cmyk.jpg", "exif_rotated_6.jpg"),
    *("animated.webp", "animated.gif", "png_named.jpg", "glb_corrupt_texture.glb"),
}
"""Files that must give a result."""
EITHER = {
    "glb_length_lies_2gb.glb",
    "obj_mtl_traversal.obj",
    "glb_nan_inf_vertices.glb",
    "glb_node_chain_20000.glb",
    "glb_huge_coordinates.glb",
}
SECONDS = 5.0
"""Of the worker's processor time, so that a busy machine fails no test."""
MEGABYTES = 500

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason=f"the malformed files are not on this machine ({FOLDER})")


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    backend = Backend(sys.executable, tmp_path_factory.mktemp("data"))
    client = backend.connect()
    # One good job first, so that what is measured is the file and not the first import of a library.
    picture = client.upload(SHARED / "assets" / "images" / "hamburger.png")
    _ended(client, client.submit(Request("inflate", {"image": picture})).id)
    yield client
    backend.stop()


def _ended(client: Client, id: str) -> Job:
    end = time.monotonic() + 120
    while not (job := client.job(id)).state.ended:
        assert time.monotonic() < end
        time.sleep(0.02)
    return job


def _worker(client: Client) -> psutil.Process:
    (worker,) = psutil.Process(client.health()["pid"]).children()
    return worker


def _memory_mb(process: psutil.Process, reset: bool = False) -> float:
    """Resident memory now, or its peak since the last reset (Linux)."""
    folder = Path("/proc") / str(process.pid)
    if reset:
        (folder / "clear_refs").write_text("5")
        return process.memory_info().rss / 2**20
    peak = next(line for line in (folder / "status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(peak.split()[1]) / 2**10


def _try(client: Client, engine: str, kind: str, name: str) -> None:
    worker = _worker(client)
    linux = sys.platform == "linux"
    idle = _memory_mb(worker, reset=True) if linux else 0
    before = _outside(client)
    begin = worker.cpu_times()
    try:
        id = client.submit(Request(engine, {kind: client.upload(FOLDER / name)})).id
    except OmagenError as error:
        assert error.code == ErrorCode.INPUT, error
        return
    job = _ended(client, id)
    spent = worker.cpu_times()
    assert spent.user + spent.system - begin.user - begin.system < SECONDS
    if linux:
        assert _memory_mb(worker) - idle < MEGABYTES
    assert _worker(client).pid == worker.pid, "the worker died"
    assert _outside(client) == before
    if name in MERELY_ODD:
        assert job.state is JobState.SUCCEEDED, job.error
    elif job.state is not JobState.SUCCEEDED or name not in EITHER:
        assert job.state is JobState.FAILED
        assert job.error.code in (ErrorCode.INPUT, ErrorCode.GEOMETRY)
        assert job.error.message
        assert job.error.remedy
        assert "Traceback" not in str(job.error)


def _outside(client: Client) -> set[str]:
    """Everything in and beside the data folder that is not a job's own folder or an upload."""
    data = Path(client.health()["data"])
    found = {str(path) for path in data.rglob("*") if not {"results", "blobs"} & set(path.relative_to(data).parts)}
    return {path for path in found if not path.endswith((".log", "-wal", "-shm"))} | {
        str(path) for path in data.parent.iterdir()
    }


@pytest.mark.parametrize("name", PICTURES)
def test_a_malformed_picture(client: Client, name: str) -> None:
    _try(client, "inflate", "image", name)


@pytest.mark.parametrize("name", MESHES)
def test_a_malformed_mesh(client: Client, name: str) -> None:
    _try(client, "mesh", "mesh", name)


@pytest.mark.parametrize("name", ["truncated.jpg", "html_named.png", "glb_truncated.glb"])
def test_a_malformed_mask(client: Client, name: str) -> None:
    picture = client.upload(SHARED / "assets" / "images" / "hamburger.png")
    request = Request("inflate", {"image": picture, "mask": client.upload(FOLDER / name)})
    job = _ended(client, client.submit(request).id)
    assert job.state is JobState.FAILED
    assert job.error.code is ErrorCode.INPUT


@pytest.mark.parametrize(("engine", "names"), [("inflate", PICTURES), ("mesh", MESHES)])
def test_the_command_line_tells_every_failure_in_words(tmp_path: Path, engine: str, names: list[str]) -> None:
    command = [
        sys.executable,
        "-m",
        "omagen",
        "generate",
        "--engine",
        engine,
        "--json",
        "--data",
        str(tmp_path / "data"),
    ]
    files = [str(FOLDER / name) for name in names]
    done = subprocess.run([*command, "-o", str(tmp_path / "out"), *files], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [Path(answer["input"]).name for answer in answers] == names
    for name, answer in zip(names, answers, strict=True):
        if answer["error"]:
            assert name not in MERELY_ODD
            assert answer["error"]["message"]
            assert answer["error"]["remedy"]
        else:
            assert name in MERELY_ODD | EITHER
            assert Path(answer["output"]).is_file()
