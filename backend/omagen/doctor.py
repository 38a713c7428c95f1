"""Examines an installation: versions, devices, data folder, weights, server, failed jobs. Says nothing private."""

from __future__ import annotations

import json
import platform
import shutil
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from omagen import __version__
from omagen.protocol import JobState, OmagenError

_PACKAGES: Final = ("numpy", "scipy", "opencv-python-headless", "pillow", "trimesh", "rembg", "onnxruntime", "torch")
_OPTIONAL: Final = {"rembg", "onnxruntime", "torch"}
_TORCH_S: Final = 60
_LITTLE_SPACE: Final = 2 * 10**9
_FAILED_JOBS: Final = 3


@dataclass
class Findings:
    sections: dict[str, list[str]] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        return {**self.facts, "problems": self.problems}


def examine(data: Path) -> Findings:
    """Look at everything; whatever cannot be looked at is a problem, never an exception."""
    findings = Findings()
    checks: tuple[tuple[str, Callable[[Findings, Path], list[str]]], ...] = (
        ("Omagen", _versions),
        ("Packages", _packages),
        ("Devices", _devices),
        ("Engines", _engines),
        ("Kernels", _kernels),
        ("Data folder", _data_folder),
        ("Models", _models),
        ("Server", _server),
        ("Last failed jobs", _failed_jobs),
    )
    for title, check in checks:
        try:
            findings.sections[title] = check(findings, data)
        except (OmagenError, OSError, ValueError) as error:
            findings.problems.append(f"{title}: {error}")
    return findings


def _versions(findings: Findings, data: Path) -> list[str]:
    python = f"{platform.python_implementation()} {platform.python_version()}, {platform.machine()}"
    findings.facts |= {"version": __version__, "python": python, "system": platform.platform()}
    return [f"omagen {__version__}", python, platform.platform(), f"program {_private(sys.executable)}"]


def _packages(findings: Findings, data: Path) -> list[str]:
    found: dict[str, str | None] = {}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = None
            if name not in _OPTIONAL:
                findings.problems.append(f"The package {name} is missing: install the backend again.")
    findings.facts["packages"] = found
    return [f"{name} {version or '(not installed)'}" for name, version in found.items()]


def _devices(findings: Findings, data: Path) -> list[str]:
    from omagen.devices import devices

    found = devices()
    findings.facts["devices"] = [asdict(device) for device in found]
    lines = [f"{device.id}: {device.title}, {device.memory_mb / 1024:.1f} GB" for device in found]
    if findings.facts["packages"].get("torch"):
        lines.append(_torch())
        findings.facts["torch"] = lines[-1]
    return lines


def _torch() -> str:
    """In a process of its own: a broken installation may crash, and a sound one takes seconds to import."""
    code = "import torch; print(torch.cuda.device_count())"
    try:
        asked = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=_TORCH_S)
    except subprocess.TimeoutExpired:
        return f"torch is installed but is not imported within {_TORCH_S} s"
    if asked.returncode:
        said = asked.stderr.strip().splitlines()
        return f"torch is installed but cannot be imported: {said[-1] if said else 'it crashes'}"
    return f"torch sees {asked.stdout.strip()} CUDA devices"


def _engines(findings: Findings, data: Path) -> list[str]:
    from omagen.engines import describe_engines

    infos = describe_engines()
    findings.facts["engines"] = {info.id: info.problem for info in infos}
    findings.problems += [f"The engine {info.id} cannot run: {info.problem}" for info in infos if info.problem]
    return [f"{info.id}: {'unusable' if info.problem else 'ready'}" for info in infos]


def _kernels(findings: Findings, data: Path) -> list[str]:
    from omagen.kernels.folder import VARIABLE, cache_folder
    from omagen.kernels.stamp import is_prepared

    folder, ready = cache_folder(), is_prepared()
    findings.facts["kernels"] = {"prepared": ready, "folder": _private(folder) if folder else None}
    if folder is None:
        findings.problems.append(
            f"Compiled kernels cannot be kept, so that every process compiles them anew: set {VARIABLE} to a folder "
            "that can be written."
        )
        return ["no folder for them can be written"]
    size = sum(path.stat().st_size for path in folder.rglob("*.nb[ci]"))
    state = "prepared" if ready else "not prepared: `omagen prepare` or the first encoding compiles them, once"
    return [state, f"{_private(folder)}, {size / 1e6:.0f} MB"]


def _data_folder(findings: Findings, data: Path) -> list[str]:
    existing = next(folder for folder in (data, *data.parents) if folder.exists())
    free = shutil.disk_usage(existing).free
    findings.facts["data"] = {"folder": _private(data), "exists": data.is_dir(), "free_bytes": free}
    if free < _LITTLE_SPACE:
        findings.problems.append(f"Only {free / 1e9:.1f} GB are free for the data folder.")
    return [_private(data) + ("" if data.is_dir() else " (made at first use)"), f"{free / 1e9:.1f} GB free"]


def _models(findings: Findings, data: Path) -> list[str]:
    from omagen.catalog import Downloads

    found = Downloads(data).models()
    findings.facts["models"] = {status.model.id: status.state.value for status in found}
    return [f"{status.model.id}: {status.state.value}" for status in found]


def _server(findings: Findings, data: Path) -> list[str]:
    from omagen.server.instance import read_state

    state = read_state(data)
    findings.facts["server"] = None
    if state is None:
        return ["not running"]
    request = urllib.request.Request(
        f"http://{state.host}:{state.port}/v1/health", headers={"Authorization": f"Bearer {state.token}"}
    )
    try:
        with urllib.request.urlopen(request, timeout=2) as answer:
            health = json.load(answer)
    except (OSError, ValueError):
        return ["not running; its state file is left over from a server that was killed"]
    kept = ("version", "protocol", "pid", "worker", "waiting")
    findings.facts["server"] = {key: health.get(key) for key in kept} | {"port": state.port}
    return [f"running, version {health.get('version')}, port {state.port}, worker {health.get('worker')}"]


def _failed_jobs(findings: Findings, data: Path) -> list[str]:
    if not (data / "jobs.sqlite3").exists():
        return ["none"]
    from omagen.jobs.store import Store

    store = Store(data)
    try:
        failed = [job for job in store.jobs(200) if job.state in {JobState.FAILED, JobState.INTERRUPTED}]
    finally:
        store.close()
    lines = [
        f"{job.id} {job.request.engine}: {_private(job.error) if job.error else job.state.value}"
        for job in failed[:_FAILED_JOBS]
    ]
    findings.facts["failed_jobs"] = lines
    return lines or ["none"]


def _private(text: object) -> str:
    """Without the user's name: the home folder becomes ~, the computer's name goes."""
    shown = str(text).replace(str(Path.home()), "~")
    host = socket.gethostname()
    return shown.replace(host, "(computer)") if len(host) > 3 else shown
