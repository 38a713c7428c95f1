"""Jobs run in a real worker process: they end in the state they should, whatever the engine does."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from omagen.engines import describe_engine
from omagen.io.images import encode_png
from omagen.jobs import result
from omagen.jobs.store import Store
from omagen.protocol import ErrorCode, JobState, OmagenError, Request
from running_queue import RunningQueue
from small_disk import needs_root, small_disk


def _until_running(jobs: RunningQueue, id: str) -> None:
    end = time.monotonic() + 20
    while not jobs.store.job(id).progress.stage:
        assert time.monotonic() < end, "the job never began"
        time.sleep(0.01)


def _workers() -> list[psutil.Process]:
    return [p for p in psutil.Process().children() if "omagen.jobs.worker" in " ".join(p.cmdline())]


def test_a_job_leaves_a_whole_result_folder(jobs: RunningQueue) -> None:
    job = jobs.wait(jobs.fake().id, 60)
    assert job.state is JobState.SUCCEEDED, job.error
    assert set(job.files) == {"log.txt", "object.glb", "preview.png", "request.json", "result.json"}
    assert job.result is not None
    assert job.result["report"]["triangles"] == 4
    assert job.result["seconds"]["total"] > 0
    folder = result.result_folder(jobs.store.data, job.id)
    assert json.loads((folder / "request.json").read_text()) == job.request.to_json()
    assert not list((jobs.store.data / "results").glob(".*"))


def test_a_picture_engine_leaves_a_picture(jobs: RunningQueue) -> None:
    job = jobs.wait(jobs.fake(engine="fake-picture").id, 60)
    assert job.state is JobState.SUCCEEDED, job.error
    assert "picture.png" in job.files
    assert job.result is not None
    assert job.result["produces"] == "picture"


def test_the_worker_stays_warm_between_jobs(jobs: RunningQueue) -> None:
    jobs.wait(jobs.fake().id, 60)
    before = _workers()
    jobs.wait(jobs.fake().id, 60)
    assert _workers() == before


@pytest.mark.parametrize("behaviour", ["sleep", "stubborn", "frozen", "saturate"])
def test_cancelling_ends_any_job_within_a_second(jobs: RunningQueue, behaviour: str) -> None:
    id = jobs.fake(behaviour, seconds=60).id
    _until_running(jobs, id)
    time.sleep(0.2)
    begin = time.monotonic()
    assert jobs.cancel(id).state in (JobState.CANCELLING, JobState.CANCELLED)
    job = jobs.wait(id, 5)
    assert time.monotonic() - begin < 1
    assert job.state is JobState.CANCELLED
    assert job.error is None
    assert not list((jobs.store.data / "results").iterdir())
    assert jobs.wait(jobs.fake().id, 60).state is JobState.SUCCEEDED


def test_cancelling_while_the_worker_starts_ends_the_job(jobs: RunningQueue) -> None:
    id = jobs.fake("sleep", seconds=60).id
    jobs.cancel(id)
    assert jobs.wait(id, 1).state is JobState.CANCELLED


def test_a_waiting_job_can_be_cancelled(jobs: RunningQueue) -> None:
    first, second = jobs.fake("sleep", seconds=60).id, jobs.fake().id
    _until_running(jobs, first)
    assert jobs.cancel(second).state is JobState.CANCELLED
    assert jobs.waiting == 0
    jobs.cancel(first)


def test_cancelling_an_ended_job_changes_nothing(jobs: RunningQueue) -> None:
    job = jobs.wait(jobs.fake().id, 60)
    assert jobs.cancel(job.id) == job


@pytest.mark.parametrize(
    ("behaviour", "code"),
    [
        ("raise", ErrorCode.ENVIRONMENT),
        ("refuse", ErrorCode.GEOMETRY),
        ("exit", ErrorCode.ENVIRONMENT),
        ("segfault", ErrorCode.ENVIRONMENT),
        ("out-of-memory", ErrorCode.MEMORY),
    ],
)
def test_a_failure_is_told_with_a_remedy_and_the_next_job_runs(
    jobs: RunningQueue, behaviour: str, code: ErrorCode
) -> None:
    job = jobs.wait(jobs.fake(behaviour).id, 60)
    assert job.state is JobState.FAILED
    assert job.error is not None
    assert job.error.code is code
    assert job.error.message
    assert job.error.remedy
    assert "secret" not in str(job.error)
    assert jobs.wait(jobs.fake().id, 60).state is JobState.SUCCEEDED


def test_an_engine_that_cannot_load_says_why(jobs: RunningQueue) -> None:
    job = jobs.wait(jobs.fake(engine="unloadable").id, 60)
    assert job.error is not None
    assert job.error.code is ErrorCode.MODEL


def test_a_worker_killed_in_the_middle_fails_its_job_only(jobs: RunningQueue) -> None:
    id = jobs.fake("sleep", seconds=60).id
    _until_running(jobs, id)
    _workers()[0].kill()
    job = jobs.wait(id, 5)
    assert job.state is JobState.FAILED
    assert job.error is not None
    assert job.error.code is ErrorCode.MEMORY
    assert jobs.wait(jobs.fake().id, 60).state is JobState.SUCCEEDED


def test_a_worker_killed_while_idle_is_replaced_unnoticed(jobs: RunningQueue) -> None:
    jobs.wait(jobs.fake().id, 60)
    _workers()[0].kill()
    assert jobs.wait(jobs.fake().id, 60).state is JobState.SUCCEEDED


def test_what_an_engine_prints_does_not_disturb(jobs: RunningQueue) -> None:
    assert jobs.wait(jobs.fake("chatter").id, 60).state is JobState.SUCCEEDED


def test_warnings_reach_job_and_events(jobs: RunningQueue) -> None:
    job = jobs.wait(jobs.fake("warn").id, 60)
    assert job.warnings == ("The cut-out is approximate.", "The picture is small.")
    kinds = [event.kind for event in jobs.store.events(job.id)]
    assert kinds == ["state", "state", "warning", "warning", "state"]


def test_events_come_in_order_and_progress_grows(jobs: RunningQueue) -> None:
    seen = []
    jobs.subscribe(seen.append)
    id = jobs.fake("sleep", seconds=1).id
    jobs.wait(id, 60)
    fractions = [event.data["fraction"] for event in seen if event.kind == "progress"]
    assert len(fractions) > 4
    assert fractions == sorted(fractions)
    assert [event.data["state"] for event in seen if event.kind == "state"] == ["running", "succeeded"]


def test_stopping_the_queue_interrupts_what_runs_and_what_waits(jobs: RunningQueue) -> None:
    first, second = jobs.fake("frozen", seconds=60).id, jobs.fake().id
    _until_running(jobs, first)
    begin = time.monotonic()
    jobs.stop()
    assert time.monotonic() - begin < 1.5
    assert jobs.store.job(first).state is JobState.INTERRUPTED
    assert jobs.store.job(second).state is JobState.INTERRUPTED
    assert not _workers()


def test_a_device_that_is_not_there_is_refused(jobs: RunningQueue) -> None:
    with pytest.raises(OmagenError, match="no device"):
        jobs.submit(Request("fake", device="cuda:7"))


def test_the_same_request_gives_the_same_object(jobs: RunningQueue) -> None:
    ids = [jobs.fake().id, jobs.fake().id]
    folders = [result.result_folder(jobs.store.data, jobs.wait(id, 60).id) for id in ids]
    assert (folders[0] / "object.glb").read_bytes() == (folders[1] / "object.glb").read_bytes()


@needs_root
def test_a_disk_that_fills_up_while_a_result_is_written_fails_the_job_only(tmp_path: Path) -> None:
    y, x = np.mgrid[-1:1:256j, -1:1:256j]
    picture = np.stack([x * 0 + 200, 99 + 90 * x, 99 + 90 * y, 255 * (np.hypot(x, y) < 0.8)], -1).astype(np.uint8)
    with small_disk(tmp_path, megabytes=4):
        store = Store(tmp_path)
        jobs = RunningQueue(store)
        jobs.start()
        try:
            image = store.blobs.add(encode_png(picture))
            request = Request("inflate", {"image": image}).checked(describe_engine("inflate"))
            assert jobs.wait(jobs.submit(request).id, 60).state is JobState.SUCCEEDED
            filler = tmp_path / "filler"
            filler.write_bytes(bytes(shutil.disk_usage(tmp_path).free - 300_000))
            job = jobs.wait(jobs.submit(request).id, 60)
            assert job.state is JobState.FAILED
            assert job.error is not None
            assert job.error.code is ErrorCode.ENVIRONMENT
            assert "space" in job.error.message
            assert [path.name for path in (tmp_path / "results").iterdir()] == [store.jobs()[-1].id]
            filler.unlink()
            assert jobs.wait(jobs.submit(request).id, 60).state is JobState.SUCCEEDED
        finally:
            jobs.stop()
            store.close()


@pytest.mark.skipif(os.name != "posix", reason="the stand-in for Python is a shell script")
def test_a_worker_that_cannot_start_is_not_started_over_and_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program, starts = tmp_path / "python", tmp_path / "starts"
    program.write_text(f"#!/bin/sh\necho x >> {starts}\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    store = Store(tmp_path / "data")
    jobs = RunningQueue(store)
    jobs.start()
    try:
        time.sleep(1)
        assert len(starts.read_text().split()) == 1
        job = jobs.wait(jobs.fake().id, 30)
        assert job.state is JobState.FAILED
        time.sleep(1)
        assert len(starts.read_text().split()) == 3, "once for the job, once to be warm for the next"
    finally:
        jobs.stop()
        store.close()
