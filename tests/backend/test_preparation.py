"""Kernels compiled beforehand: ended half-way and taken up again, after which nothing is left to compile."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from omagen.io.glb_writer import write_glb
from omagen.jobs.store import Store
from omagen.kernels.waiting import STAGE
from omagen.protocol import Event, JobState, Request
from running_queue import RunningQueue
from sample_meshes import cube

PATIENCE_S = 1200
"""Compiling takes two minutes of processor time, however busy the machine is."""

USE = """
import sys
from pathlib import Path
from omagen.kernels.preparation import compilations
import trimesh, numpy as np
from omagen.io.meshes import read_mesh
from omagen.omage.decode import decode
from omagen.omage.encode import encode, encode_with_layout
from omagen.omage.files import read_omage, write_omage
from omagen.omage.lod import lod_chain
from omagen.omage.quality import fidelity
from omagen.shapes import Mesh
from dataclasses import replace
folder = Path(sys.argv[1])
mesh, _ = read_mesh(folder / "cube.glb")
omage, _, layout = encode_with_layout(mesh, 96)
fidelity(mesh, omage, layout.atlas)
knot = trimesh.creation.torus(1, 0.4, 32, 16)
encode(Mesh(knot.vertices.astype(np.float32), knot.faces.astype(np.int32)), 128)
encode(mesh, 96, "unwrap")
write_omage(omage, folder / "cube.omage")
omage, _ = read_omage(folder / "cube.omage")
decode(omage)
decode(omage, resolution=48)
bare = replace(omage, seam=None, chart=None)
decode(bare)
decode(bare, resolution=48)
lod_chain(omage, 32)
print(compilations())
"""


def files(folder: Path) -> int:
    return len(list(folder.rglob("*.nbc")))


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kernels")


@pytest.fixture(scope="module")
def variables(cache: Path) -> dict[str, str]:
    return {**os.environ, "NUMBA_CACHE_DIR": str(cache)}


def test_a_job_says_that_it_waits_for_kernels_and_can_be_cancelled(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(cache))
    store = Store(tmp_path / "data")
    queue = RunningQueue(store)
    stages: list[str] = []

    def listen(event: Event) -> None:
        if event.kind == "progress":
            stages.append(event.data["stage"])

    queue.subscribe(listen)
    queue.start()
    try:
        write_glb(cube(), tmp_path / "cube.glb", {})
        mesh = store.blobs.add(tmp_path / "cube.glb")
        job = queue.submit(Request("encode", {"mesh": mesh}, {"resolution": 64, "uv": "auto"}))
        while STAGE not in stages:
            assert not queue.wait(job.id, timeout=0.1).state.ended
        started = psutil.Process().children(recursive=True)
        queue.cancel(job.id)
        assert queue.wait(job.id, timeout=PATIENCE_S).state is JobState.CANCELLED
        assert psutil.Process().children(recursive=True)[0] == started[0]  # the worker went on: no need to replace it
    finally:
        queue.stop()
        store.close()
    if sys.platform == "linux":
        assert psutil.wait_procs(started, timeout=60)[1] == []


def test_what_was_ended_half_way_is_completed_and_nothing_is_left_to_compile(
    cache: Path, variables: dict[str, str], tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "omagen", "prepare", "--json"]
    at_first = files(cache)
    with subprocess.Popen(command, env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as killed:
        while files(cache) < at_first + 20:
            assert killed.poll() is None
            time.sleep(0.1)
        killed.kill()
    kept = files(cache)
    write_glb(cube(), tmp_path / "cube.glb", {})
    encode = [sys.executable, "-m", "omagen", "encode", "cube.glb", "-o", "first.omage", "--resolution", "32"]
    done = subprocess.run(
        encode, env=variables, capture_output=True, text=True, timeout=PATIENCE_S, cwd=tmp_path, check=False
    )
    assert done.returncode == 0, done.stderr
    assert f"{STAGE}: compiling kernels" in done.stderr
    assert (tmp_path / "first.omage").exists()
    assert files(cache) > kept
    again = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=PATIENCE_S)
    assert json.loads(again.stdout)["compiled"] == 0 and again.stderr == ""
    use = subprocess.run(
        [sys.executable, "-c", USE, str(tmp_path)], env=variables, capture_output=True, text=True, timeout=PATIENCE_S
    )
    assert use.stdout.strip() == "0", use.stdout + use.stderr
