"""The durable list of jobs: one SQLite database per data folder, shared by every process that works on that folder.

A job belongs to the process that runs it (its *owner*). Each owner holds an operating-system lock for as long as it
lives, so that whoever opens the store next can tell interrupted jobs from running ones without trusting process numbers
or clocks.
"""

from __future__ import annotations

import contextlib
import json
import logging
import secrets
import sqlite3
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from omagen.jobs import result
from omagen.jobs.blobs import BlobStore
from omagen.protocol import TRANSITIONS, ErrorCode, Event, Job, JobState, OmagenError, Progress, Request

log = logging.getLogger(__name__)

_SCHEMA_VERSION = 1
_LOG_PAGES = 64
"""Pages that SQLite's write-ahead log may grow to before it is folded into the database: few, for full disks."""
_SCHEMA = """
CREATE TABLE jobs (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, owner TEXT NOT NULL, state TEXT NOT NULL,
  request TEXT NOT NULL, created REAL NOT NULL, started REAL, finished REAL,
  progress TEXT NOT NULL DEFAULT '{}', error TEXT, result TEXT
);
CREATE INDEX jobs_by_state ON jobs (state, owner);
CREATE TABLE events (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, job TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
  kind TEXT NOT NULL, data TEXT NOT NULL, at REAL NOT NULL
);
CREATE INDEX events_by_job ON events (job, seq);
"""
_UNFINISHED = tuple(state.value for state in JobState if not state.ended)


class Store:
    """Jobs and their events. Methods may be called from any thread; a full disk raises `OmagenError` (environment)."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.owner = secrets.token_hex(8)
        self._lock = threading.RLock()
        try:
            for name in ("results", "owners"):
                (data / name).mkdir(parents=True, exist_ok=True)
            self.blobs = BlobStore(data)
            self._owner_lock = FileLock(data / "owners" / f"{self.owner}.lock")
            self._owner_lock.acquire()
        except OSError as error:
            raise OmagenError(
                ErrorCode.ENVIRONMENT,
                f"The data folder {data} cannot be used: {error.strerror or error}.",
                "Free some space or choose another folder.",
            ) from error
        self._connection = self._open()
        self.recover()

    def close(self) -> None:
        with self._lock:
            self._connection.close()
        self._owner_lock.release()
        Path(self._owner_lock.lock_file).unlink(missing_ok=True)

    # Jobs

    def create(self, request: Request) -> Job:
        """Store a checked request as a queued job of this process."""
        id = secrets.token_hex(8)
        with self._transaction() as sql:
            sql.execute(
                "INSERT INTO jobs (id, owner, state, request, created) VALUES (?, ?, ?, ?, ?)",
                (id, self.owner, JobState.QUEUED.value, json.dumps(request.to_json()), time.time()),
            )
            self._event(sql, id, "state", {"state": JobState.QUEUED.value, "error": None})
        return self.job(id)

    def job(self, id: str) -> Job:
        rows = self._select("SELECT * FROM jobs WHERE id = ?", (id,))
        if not rows:
            raise OmagenError(ErrorCode.INPUT, f"There is no job {id[:64]!r}.", "It may have been deleted.")
        return self._job(rows[0])

    def jobs(self, limit: int = 100) -> list[Job]:
        """The newest `limit` jobs, newest first."""
        return [self._job(row) for row in self._select("SELECT * FROM jobs ORDER BY seq DESC LIMIT ?", (limit,))]

    def queued(self) -> list[Job]:
        """This process's waiting jobs, oldest first."""
        query = "SELECT * FROM jobs WHERE state = ? AND owner = ? ORDER BY seq"
        return [self._job(row) for row in self._select(query, (JobState.QUEUED.value, self.owner))]

    def next(self, device: str) -> Job | None:
        """The oldest of this process's waiting jobs that may run on `device`."""
        where = "state = ? AND owner = ? AND json_extract(request, '$.device') IN ('auto', ?)"
        query = f"SELECT * FROM jobs WHERE {where} ORDER BY seq LIMIT 1"
        rows = self._select(query, (JobState.QUEUED.value, self.owner, device))
        return self._job(rows[0]) if rows else None

    def waiting(self) -> int:
        """How many of this process's jobs wait."""
        query = "SELECT COUNT(*) FROM jobs WHERE state = ? AND owner = ?"
        return self._select(query, (JobState.QUEUED.value, self.owner))[0][0]

    def move(
        self, id: str, state: JobState, *, error: OmagenError | None = None, outcome: dict[str, Any] | None = None
    ) -> Event:
        """Change a job's state; `ValueError` for a change that `TRANSITIONS` does not allow."""
        with self._transaction() as sql:
            row = sql.execute("SELECT state FROM jobs WHERE id = ?", (id,)).fetchone()
            if row is None or state not in TRANSITIONS[JobState(row["state"])]:
                raise ValueError(f"job {id} cannot go from {row and row['state']} to {state.value}")
            if state is JobState.RUNNING:
                sql.execute("UPDATE jobs SET started = ? WHERE id = ?", (time.time(), id))
            if state.ended:
                sql.execute("UPDATE jobs SET finished = ? WHERE id = ?", (time.time(), id))
                sql.execute("DELETE FROM events WHERE job = ? AND kind = 'progress'", (id,))
            sql.execute(
                "UPDATE jobs SET state = ?, error = ?, result = ? WHERE id = ?",
                (
                    state.value,
                    json.dumps(error.to_json()) if error else None,
                    json.dumps(outcome) if outcome else None,
                    id,
                ),
            )
            return self._event(sql, id, "state", {"state": state.value, "error": error.to_json() if error else None})

    def progress(self, id: str, progress: Progress) -> Event:
        data = asdict(progress)
        with self._transaction() as sql:
            sql.execute("UPDATE jobs SET progress = ? WHERE id = ?", (json.dumps(data), id))
            return self._event(sql, id, "progress", data)

    def warn(self, id: str, message: str) -> Event:
        with self._transaction() as sql:
            return self._event(sql, id, "warning", {"message": message})

    def events(self, job_id: str, after: int = 0) -> list[Event]:
        """What happened to a job since event `after`, in order."""
        rows = self._select("SELECT * FROM events WHERE job = ? AND seq > ? ORDER BY seq", (job_id, after))
        return [Event(row["seq"], row["job"], row["kind"], json.loads(row["data"])) for row in rows]

    def delete(self, id: str) -> None:
        """Forget an ended job: its row, its files, and uploads that no other job uses."""
        job = self.job(id)
        if not job.state.ended:
            raise OmagenError(ErrorCode.INPUT, "A job cannot be deleted while it runs.", "Cancel it first.")
        with self._transaction() as sql:
            sql.execute("DELETE FROM jobs WHERE id = ?", (id,))
        result.discard(self.data, id)
        used = self._blobs_in_use()
        for blob in set(job.request.inputs.values()) - used:
            self.blobs.delete(blob)

    def make_room(self) -> None:
        """Give back what the database's own log takes on the disk, so that a small change fits on a full one."""
        with self._lock, contextlib.suppress(sqlite3.Error):
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def recover(self) -> None:
        """Settle what dead processes have left: finished results are kept, unfinished jobs become interrupted."""
        marks = ",".join("?" * len(_UNFINISHED))
        for row in self._select(f"SELECT * FROM jobs WHERE state IN ({marks})", _UNFINISHED):
            if row["owner"] == self.owner or self._alive(row["owner"]):
                continue
            outcome = result.read_json(result.result_folder(self.data, row["id"]) / result.RESULT_FILE)
            if outcome is not None and row["state"] == JobState.RUNNING.value:
                self.move(row["id"], JobState.SUCCEEDED, outcome=outcome)
                continue
            result.discard(self.data, row["id"])
            error = OmagenError(ErrorCode.ENVIRONMENT, "The backend ended before this job did.", "Run it again.")
            self.move(row["id"], JobState.INTERRUPTED, error=error)
        self.blobs.sweep(self._blobs_in_use())

    # Database

    def _open(self) -> sqlite3.Connection:
        path = self.data / "jobs.sqlite3"
        try:
            return self._connect(path)
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):
                raise _environment(error) from error
        aside = path.with_suffix(f".broken-{secrets.token_hex(4)}")
        log.warning("The job list is damaged; it is kept as %s and made anew from the results.", aside.name)
        path.replace(aside)
        for suffix in ("-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        return self._connect(path)

    def _connect(self, path: Path) -> sqlite3.Connection:
        connection = sqlite3.connect(path, timeout=10, isolation_level=None, check_same_thread=False)
        try:
            connection.row_factory = sqlite3.Row
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute(f"PRAGMA wal_autocheckpoint = {_LOG_PAGES}")
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("BEGIN IMMEDIATE")
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            if version > _SCHEMA_VERSION:
                raise OmagenError(
                    ErrorCode.ENVIRONMENT,
                    "The job list was written by a newer Omagen.",
                    "Update Omagen, or choose another data folder.",
                )
            if version == 0:
                for statement in filter(str.strip, _SCHEMA.split(";")):
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")
                self._adopt_results(connection)
            connection.execute("COMMIT")
        except BaseException:
            connection.close()
            raise
        return connection

    def _adopt_results(self, sql: sqlite3.Connection) -> None:
        """Enter the result folders of a lost database as finished jobs, oldest first."""
        folders = [f for f in (self.data / "results").iterdir() if f.is_dir() and f.name.isalnum()]
        for folder in sorted(folders, key=lambda f: f.stat().st_mtime):
            outcome = result.read_json(folder / result.RESULT_FILE)
            request = result.read_json(folder / result.REQUEST_FILE)
            try:
                Request.from_json(request)
            except OmagenError:
                continue
            if outcome is None:
                continue
            at = folder.stat().st_mtime
            sql.execute(
                "INSERT INTO jobs (id, owner, state, request, created, started, finished, result)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (folder.name, "", JobState.SUCCEEDED.value, json.dumps(request), at, at, at, json.dumps(outcome)),
            )

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                try:
                    yield self._connection
                    self._connection.execute("COMMIT")
                except BaseException:
                    if self._connection.in_transaction:
                        self._connection.execute("ROLLBACK")
                    raise
            except sqlite3.Error as error:
                raise _environment(error) from error

    def _select(self, query: str, values: tuple[Any, ...]) -> list[sqlite3.Row]:
        with self._lock:
            try:
                return self._connection.execute(query, values).fetchall()
            except sqlite3.Error as error:
                raise _environment(error) from error

    def _event(self, sql: sqlite3.Connection, job_id: str, kind: str, data: dict[str, Any]) -> Event:
        cursor = sql.execute(
            "INSERT INTO events (job, kind, data, at) VALUES (?, ?, ?, ?)",
            (job_id, kind, json.dumps(data), time.time()),
        )
        return Event(cursor.lastrowid or 0, job_id, kind, data)

    def _job(self, row: sqlite3.Row) -> Job:
        warnings = self._select("SELECT data FROM events WHERE job = ? AND kind = 'warning' ORDER BY seq", (row["id"],))
        outcome = json.loads(row["result"]) if row["result"] else None
        told = [json.loads(w["data"])["message"] for w in warnings] or (outcome or {}).get("warnings", [])
        return Job(
            id=row["id"],
            request=Request.from_json(json.loads(row["request"])),
            state=JobState(row["state"]),
            created=row["created"],
            started=row["started"],
            finished=row["finished"],
            progress=Progress(**json.loads(row["progress"])),
            warnings=tuple(told),
            error=OmagenError.from_json(json.loads(row["error"])) if row["error"] else None,
            result=outcome,
            files=result.files(self.data, row["id"]) if row["state"] == JobState.SUCCEEDED.value else (),
        )

    def _blobs_in_use(self) -> set[str]:
        requests = (json.loads(row["request"]) for row in self._select("SELECT request FROM jobs", ()))
        return {value for request in requests for value in request["inputs"].values()}

    def _alive(self, owner: str) -> bool:
        """Whether the process that calls itself `owner` still holds its lock."""
        path = self.data / "owners" / f"{owner}.lock"
        if not owner or not path.exists():
            return False
        try:
            with FileLock(path, timeout=0):
                pass
        except Timeout:
            return True
        path.unlink(missing_ok=True)
        return False


def _environment(error: sqlite3.Error) -> OmagenError:
    if "full" in str(error):
        return OmagenError(
            ErrorCode.ENVIRONMENT, "The disk with Omagen's data folder is full.", "Free some space and try again."
        )
    return OmagenError(
        ErrorCode.ENVIRONMENT,
        f"The job list cannot be read or written: {error}.",
        "Check the data folder's disk and permissions, then restart the backend.",
    )
