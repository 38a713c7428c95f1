"""Ends the server with the programs it serves: it lives as long as any known parent process does."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from typing import Final

import psutil

log = logging.getLogger(__name__)

_INTERVAL_S: Final = 0.5
_MOST_PARENTS: Final = 64


class ParentWatch:
    """Watches processes by number and creation time, so a number that is used again is not mistaken for a parent."""

    def __init__(self, pids: Iterable[int], on_orphaned: Callable[[], None]) -> None:
        """`on_orphaned` is called once, on the watch's thread, when the last parent is gone."""
        self._parents: dict[int, psutil.Process] = {}
        self._on_orphaned = on_orphaned
        for pid in pids:
            self.add(pid)

    def start(self) -> None:
        threading.Thread(target=self._watch, name="parent watch", daemon=True).start()

    def add(self, pid: int) -> None:
        """Live for this process too. Cheap for one that is known already."""
        if pid in self._parents or len(self._parents) >= _MOST_PARENTS:
            return
        try:
            self._parents[pid] = psutil.Process(pid)
        except psutil.Error:
            log.warning("process %d, named as a parent, does not exist", pid)

    def _watch(self) -> None:
        pause = threading.Event()
        while self._drop_ended():
            pause.wait(_INTERVAL_S)
        log.info("no parent process is left")
        self._on_orphaned()

    def _drop_ended(self) -> bool:
        """Forget the parents that are gone; True while any is left."""
        for pid, process in list(self._parents.items()):
            if not _is_alive(process):
                log.info("parent process %d has ended", pid)
                del self._parents[pid]
        return bool(self._parents)


def _is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
