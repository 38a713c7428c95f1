"""What this computer can compute on, found without importing any framework."""

from __future__ import annotations

import logging
import platform
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache

from omagen.protocol import ErrorCode, OmagenError

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Device:
    id: str
    """`cpu`, `cuda:0`, `mps`: what a request's `device` names."""
    title: str
    memory_mb: int
    """All of it, free or not."""


@cache
def devices() -> tuple[Device, ...]:
    """Every device, the processor first. Asks the NVIDIA driver where there is one, which can take a second."""
    import psutil

    memory = psutil.virtual_memory().total // 2**20
    cpu = Device("cpu", f"{processor_name()}, {psutil.cpu_count()} threads", memory)
    apple = (Device("mps", "Apple GPU", memory),) if _is_apple_silicon() else ()
    return (cpu, *apple, *_nvidia())


def choose_device(name: str) -> str:
    """The device that `name` means: `auto` is the processor, `cuda` the first NVIDIA card.

    Raises `OmagenError` (input) for one that is not here.
    """
    if name in {"auto", "cpu"}:
        return "cpu"
    for device in devices():
        if device.id in {name, f"{name}:0"}:
            return device.id
    known = ", ".join(device.id for device in devices())
    raise OmagenError(ErrorCode.INPUT, f"There is no device {name!r}.", f"Choose auto or {known}.")


def processor_name() -> str:
    """The processor's name as its maker writes it, where the system tells."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:  # noqa: PTH123 - a kernel interface, not a file
            for line in lines:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        log.debug("no /proc/cpuinfo")
    return platform.processor() or platform.machine()


def _is_apple_silicon() -> bool:
    return platform.system() == "Darwin" and platform.machine() == "arm64"


def _nvidia() -> tuple[Device, ...]:
    program = shutil.which("nvidia-smi")
    if program is None:
        return ()
    query = [program, "--query-gpu=index,name,memory.total", "--format=csv,noheader,nounits"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, timeout=10, check=True).stdout
        rows = [[part.strip() for part in line.split(",")] for line in answer.splitlines() if line.strip()]
        return tuple(Device(f"cuda:{int(index)}", name, int(memory)) for index, name, memory in rows)
    except (OSError, subprocess.SubprocessError, ValueError):
        log.warning("the NVIDIA driver does not answer", exc_info=True)
        return ()
