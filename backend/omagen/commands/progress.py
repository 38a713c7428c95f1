"""How far a job is, on standard error: a bar on a terminal, one line per stage elsewhere."""

from __future__ import annotations

import sys

from omagen.protocol import Event


class ProgressLine:
    """Shows how far one thing is, and warnings. May be called from another thread."""

    def __init__(self, title: str, *, silent: bool) -> None:
        self._title = title
        self._silent = silent
        self._stage = ""
        self._bar = None
        if not silent and sys.stderr.isatty():
            from tqdm import tqdm

            layout = "{desc} {percentage:3.0f}% |{bar}| {elapsed}{postfix}"
            self._bar = tqdm(total=1.0, desc=title, bar_format=layout, leave=False)

    def __enter__(self) -> ProgressLine:
        return self

    def __exit__(self, *error: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def show(self, event: Event) -> None:
        """Show the event of a job."""
        if event.kind == "warning":
            self.warn(event.data["message"])
        elif event.kind == "progress":
            self.progress(event.data["stage"], event.data["fraction"], event.data.get("remaining_s"))

    def warn(self, message: str, subject: str = "") -> None:
        """Show a warning about `subject`, by default about the whole."""
        if not self._silent:
            self._write(f"{subject or self._title}: warning: {message}")

    def progress(self, stage: str, fraction: float, remaining_s: float | None = None) -> None:
        """Show that `stage` is at `fraction` (0 to 1) of the whole."""
        if self._silent:
            return
        if self._bar is not None:
            left = f", {remaining_s:.0f} s left" if remaining_s is not None else ""
            self._bar.set_description_str(f"{self._title}: {stage.lower()}", refresh=False)
            self._bar.set_postfix_str(left.lstrip(", "), refresh=False)
            self._bar.n = fraction
            self._bar.refresh()
        elif stage != self._stage:
            self._write(f"{self._title}: {stage.lower()} ({fraction:.0%})")
        self._stage = stage

    def _write(self, line: str) -> None:
        if self._bar is not None:
            self._bar.write(line, file=sys.stderr)
        else:
            sys.stderr.write(line + "\n")
