"""Reads files one by one in child processes of limited memory and tells, as JSON lines, how each went.

Run as `python hostile_reading.py mesh|picture FILE...`. The parent imports everything first and decodes nothing, so
that what a child needs is what reading that one file needs.
"""

from __future__ import annotations

import json
import os
import resource
import socket
import sys
from pathlib import Path
from typing import Any

from omagen.io.images import read_picture
from omagen.io.meshes import read_mesh
from omagen.protocol import OmagenError

EXTRA_BYTES = 500_000_000
MAX_SECONDS = 20


def read(kind: str, path: Path) -> dict[str, Any]:
    try:
        if kind == "picture":
            picture = read_picture(path)
            mean = picture.rgba.mean((0, 1)).tolist()
            return {"shape": picture.rgba.shape, "mean": mean, "warnings": picture.warnings, "alpha": picture.has_alpha}
        mesh, warnings = read_mesh(path)
        low, high = mesh.vertices.min(0).tolist(), mesh.vertices.max(0).tolist()
        return {"faces": len(mesh.faces), "low": low, "high": high, "warnings": warnings}
    except OmagenError as error:
        return {"error": error.to_json()}


def guarded(kind: str, path: Path) -> dict[str, Any]:
    """`read` in a child that dies of more than `EXTRA_BYTES` or `MAX_SECONDS`, and that cannot open a socket."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        limit = pages * resource.getpagesize() + EXTRA_BYTES
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        resource.setrlimit(resource.RLIMIT_CPU, (MAX_SECONDS, MAX_SECONDS))
        socket.socket = None  # type: ignore[assignment, misc]
        used = resource.getrusage(resource.RUSAGE_SELF)
        answer = read(kind, path)
        after = resource.getrusage(resource.RUSAGE_SELF)
        answer["seconds"] = after.ru_utime + after.ru_stime - used.ru_utime - used.ru_stime
        os.write(writer, json.dumps(answer).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        text = pipe.read()
    status = os.waitpid(child, 0)[1]
    return json.loads(text) if text else {"died": status}


if __name__ == "__main__":
    for name in sys.argv[2:]:
        sys.stdout.write(json.dumps({"file": Path(name).name} | guarded(sys.argv[1], Path(name))) + "\n")
        sys.stdout.flush()
