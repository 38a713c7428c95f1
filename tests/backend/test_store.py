"""The job list survives: crashes, damaged files, a full disk, several processes, jumping clocks."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from omagen.jobs import result
from omagen.jobs.store import Store
from omagen.protocol import TRANSITIONS, ErrorCode, JobState, OmagenError, Request
from small_disk import needs_root, small_disk

REQUEST = Request("fake", {"text": "words"}, {"behaviour": "finish"}, seed=3, name="thing")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


def _finish(store: Store, id: str) -> None:
    store.move(id, JobState.RUNNING)
    folder = result.part_folder(store.data, id)
    folder.mkdir()
    result.write_json(folder / result.REQUEST_FILE, REQUEST.to_json())
    result.write_json(folder / result.RESULT_FILE, {"engine": "fake", "name": "thing"})
    result.publish(store.data, id)


def _dead_owner(data: Path, code: str) -> list[str]:
    """Run `code` with a store in a process that is then killed; returns the words it printed."""
    script = f"""
import os, signal, sys
from pathlib import Path
from omagen.jobs.store import Store
from omagen.protocol import JobState, Request
store = Store(Path({str(data)!r}))
{code}
sys.stdout.flush()
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, check=False)
    assert done.returncode != 0
    return done.stdout.split()


def test_a_job_comes_back_as_it_was_stored(store: Store) -> None:
    job = store.create(REQUEST)
    assert job.state is JobState.QUEUED
    assert Store(store.data).job(job.id) == job
    assert job.request == REQUEST


@pytest.mark.parametrize("before", JobState)
@pytest.mark.parametrize("after", JobState)
def test_only_legal_changes_of_state_are_possible(store: Store, before: JobState, after: JobState) -> None:
    id = store.create(REQUEST).id
    for state in _path_to(before):
        store.move(id, state)
    if after in TRANSITIONS[before]:
        store.move(id, after)
        assert store.job(id).state is after
    else:
        with pytest.raises(ValueError, match="cannot go"):
            store.move(id, after)
        assert store.job(id).state is before


def _path_to(state: JobState) -> list[JobState]:
    running, cancelling = JobState.RUNNING, JobState.CANCELLING
    paths = {JobState.QUEUED: [], running: [running], cancelling: [running, cancelling]}
    return paths.get(state, [running, cancelling, state] if state is JobState.CANCELLED else [running, state])


def test_jobs_of_a_killed_process_are_offered_again(tmp_path: Path) -> None:
    code = """
for _ in range(2): print(store.create(Request("fake")).id)
store.move(store.queued()[0].id, JobState.RUNNING)
"""
    ids = _dead_owner(tmp_path, code)
    jobs = [Store(tmp_path).job(id) for id in ids]
    assert {job.state for job in jobs} == {JobState.INTERRUPTED}
    assert all(job.error and "again" in job.error.remedy for job in jobs)


def test_jobs_of_a_living_process_are_left_alone(store: Store) -> None:
    id = store.create(REQUEST).id
    store.move(id, JobState.RUNNING)
    assert Store(store.data).job(id).state is JobState.RUNNING


def test_a_result_that_was_whole_when_the_process_died_is_kept(tmp_path: Path) -> None:
    code = """
import json
from omagen.jobs import result
id = store.create(Request("fake")).id
store.move(id, JobState.RUNNING)
folder = result.part_folder(store.data, id)
folder.mkdir()
result.write_json(folder / "result.json", {"name": "kept"})
result.publish(store.data, id)
print(id)
"""
    (id,) = _dead_owner(tmp_path, code)
    job = Store(tmp_path).job(id)
    assert job.state is JobState.SUCCEEDED
    assert job.result == {"name": "kept"}


def test_half_written_results_of_a_dead_process_are_removed(tmp_path: Path) -> None:
    code = """
from omagen.jobs import result
id = store.create(Request("fake")).id
store.move(id, JobState.RUNNING)
result.part_folder(store.data, id).mkdir()
"""
    _dead_owner(tmp_path, code)
    Store(tmp_path)
    assert not list((tmp_path / "results").iterdir())


@pytest.mark.parametrize("content", [b"this is no database", b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_damaged_job_list_is_kept_aside_and_made_anew_from_the_results(tmp_path: Path, content: bytes) -> None:
    store = Store(tmp_path)
    id = store.create(REQUEST).id
    _finish(store, id)
    store.move(id, JobState.SUCCEEDED, outcome={"engine": "fake", "name": "thing"})
    store.close()
    for name in ("jobs.sqlite3-wal", "jobs.sqlite3-shm"):
        (tmp_path / name).unlink(missing_ok=True)
    (tmp_path / "jobs.sqlite3").write_bytes(content)
    job = Store(tmp_path).job(id)
    assert job.state is JobState.SUCCEEDED
    assert job.request == REQUEST
    assert [path.read_bytes() for path in tmp_path.glob("*.broken-*")] == [content]


def test_a_job_list_of_a_newer_version_is_refused_untouched(store: Store) -> None:
    import sqlite3

    store.close()
    connection = sqlite3.connect(store.data / "jobs.sqlite3")
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(OmagenError, match="newer"):
        Store(store.data)


def test_a_result_folder_that_lies_does_not_spoil_the_list(tmp_path: Path) -> None:
    folder = tmp_path / "results" / "abc123"
    folder.mkdir(parents=True)
    (folder / "request.json").write_text(json.dumps({"engine": 5}))
    (folder / "result.json").write_text("{}")
    assert Store(tmp_path).jobs() == []


def test_deleting_a_job_removes_its_files_and_uploads_but_not_those_of_others(store: Store) -> None:
    shared, own = store.blobs.add(b"shared"), store.blobs.add(b"own")
    first = store.create(Request("fake", {"image": shared, "mask": own})).id
    store.create(Request("fake", {"image": shared}))
    store.move(first, JobState.RUNNING)
    with pytest.raises(OmagenError, match="while it runs"):
        store.delete(first)
    store.move(first, JobState.CANCELLING)
    store.move(first, JobState.CANCELLED)
    store.delete(first)
    assert store.blobs.path(shared).read_bytes() == b"shared"
    with pytest.raises(OmagenError):
        store.blobs.path(own)
    with pytest.raises(OmagenError):
        store.job(first)
    assert store.events(first) == []


def test_the_order_of_jobs_does_not_depend_on_the_clock(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([5e9, 5e9, 1.0, 1.0, 3e9, 3e9])
    monkeypatch.setattr(time, "time", lambda: next(clock))
    ids = [store.create(REQUEST).id for _ in range(3)]
    monkeypatch.undo()
    assert [job.id for job in store.jobs()] == ids[::-1]
    assert [job.id for job in store.queued()] == ids


@pytest.mark.parametrize("id", ["", "..", "../../etc/passwd", "a" * 64 + "/x", "A" * 64, "0" * 63])
def test_a_blob_id_that_is_no_hash_is_refused(store: Store, id: str) -> None:
    with pytest.raises(OmagenError, match="no uploaded file"):
        store.blobs.path(id)


@pytest.mark.parametrize("id", ["", "..", "a/b", "a\\b", ".x"])
def test_a_job_id_that_is_no_name_leads_to_no_folder(tmp_path: Path, id: str) -> None:
    with pytest.raises(OmagenError):
        result.result_folder(tmp_path, id)


@needs_root
def test_a_full_disk_is_told_and_nothing_is_lost(tmp_path: Path) -> None:
    with small_disk(tmp_path, megabytes=1):
        store = Store(tmp_path)
        id = store.create(REQUEST).id
        with (tmp_path / "filler").open("wb", buffering=0) as filler, pytest.raises(OSError, match="space"):
            while True:
                filler.write(b"x" * 4096)
        with pytest.raises(OmagenError) as caught:
            for _ in range(1000):
                store.create(REQUEST)
        assert caught.value.code is ErrorCode.ENVIRONMENT
        assert "full" in caught.value.message
        with pytest.raises(OSError, match="space"):
            store.blobs.add(b"y" * 100_000)
        assert [p for p in store.blobs.folder.iterdir() if p.name.startswith(".")] == []
        (tmp_path / "filler").unlink()
        assert store.job(id).state is JobState.QUEUED
        store.create(REQUEST)
        store.close()
