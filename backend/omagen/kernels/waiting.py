"""Kernels compiled in the background, while a worker has nothing else to do."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Final

log = logging.getLogger(__name__)

STAGE: Final = "Preparing (only the first time)"
"""What is shown to someone who waits for kernels."""
_LOOK_EVERY_S: Final = 0.2


class Preparation:
    """`prepare` in the background, which anyone may wait for."""

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None
        self._fraction = 0.0

    def begin(self) -> None:
        """Start it unless it has been started."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="kernels", daemon=True)
            self._thread.start()

    def wait(self, report: Callable[[str, float], None]) -> None:
        """Return once it is over, however it ended.

        `report` is called several times a second with `STAGE` and the fraction; it may raise to stop waiting.
        """
        self.begin()
        assert self._thread is not None
        self._thread.join(_LOOK_EVERY_S)
        while self._thread.is_alive():
            report(STAGE, self._fraction)
            self._thread.join(_LOOK_EVERY_S)

    def _work(self) -> None:
        from omagen.kernels.preparation import prepare

        try:
            compiled = prepare(self._note)
        except Exception:
            log.warning("the kernels could not be prepared: they are compiled when they are needed", exc_info=True)
        else:
            log.info("%d kernels compiled", compiled)

    def _note(self, what: str, fraction: float) -> None:
        self._fraction = fraction
