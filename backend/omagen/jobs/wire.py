"""How queue and worker talk: one JSON object a line, requests down the worker's input, reports up its output.

To the worker: `{"run": {"job", "request", "files", "folder"}}`, `{"cancel": job}`. End of input means: end yourself.
From the worker: `{"ready": pid}`, `{"progress": {"stage", "fraction"}}`, `{"warning": text}`, and at the end of a job
`{"done": result.json's content}` or `{"error": OmagenError.to_json()}`.
"""

from __future__ import annotations

import json
import threading
from typing import IO, Any


class Wire:
    """The writing end of one direction; safe to use from several threads."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def send(self, message: dict[str, Any]) -> None:
        """Raises `OSError` or `ValueError` when the other side is gone."""
        line = json.dumps(message).encode() + b"\n"
        with self._lock:
            self._stream.write(line)
            self._stream.flush()


def messages(stream: IO[bytes]):
    """Every message that arrives on `stream`, until its end."""
    for line in stream:
        yield json.loads(line)
