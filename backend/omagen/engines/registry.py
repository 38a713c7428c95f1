"""Finds the engines that are installed: the entry-point group `omagen.engines`, ours and other people's alike.

An engine that cannot be imported or cannot describe itself is listed with its problem; it never takes the process down.
For developing an engine without installing it, `OMAGEN_ENGINES="name=module:Class,..."` adds to the entry points and
wins over them.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from omagen.protocol import EngineInfo, ErrorCode, OmagenError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from omagen.engines.base import Engine

GROUP: Final = "omagen.engines"
VARIABLE: Final = "OMAGEN_ENGINES"

log = logging.getLogger(__name__)


def create_engine(id: str) -> Engine:
    """A fresh engine, not loaded.

    Raises `OmagenError`: input for an id nobody registered, environment for an engine that cannot run here.
    """
    info = describe_engine(id)
    if info.problem:
        raise OmagenError(ErrorCode.ENVIRONMENT, f"The engine {id!r} cannot run here.", info.problem)
    return _entry_points(os.environ.get(VARIABLE, ""))[id].load()()


def describe_engine(id: str) -> EngineInfo:
    """What one engine says of itself. Raises `OmagenError` (input) for an id nobody registered."""
    found = _describe_all(os.environ.get(VARIABLE, ""))
    if id not in found:
        raise OmagenError(ErrorCode.INPUT, f"There is no engine {id!r}.", f"Installed engines: {', '.join(found)}.")
    return found[id]


def describe_engines() -> tuple[EngineInfo, ...]:
    """Every registered engine, ours first, the ones that cannot run here with `problem` set."""
    return tuple(_describe_all(os.environ.get(VARIABLE, "")).values())


@lru_cache(maxsize=1)
def _describe_all(variable: str) -> dict[str, EngineInfo]:
    return {name: _describe(entry) for name, entry in _entry_points(variable).items()}


@lru_cache(maxsize=1)
def _entry_points(variable: str) -> dict[str, EntryPoint]:
    from importlib.metadata import entry_points

    def others_last(entry: EntryPoint) -> bool:
        return not entry.value.startswith("omagen.")

    found = {entry.name: entry for entry in _from_variable(variable)}
    for entry in sorted(entry_points(group=GROUP), key=others_last):
        if found.setdefault(entry.name, entry).value != entry.value:
            log.warning("engine %r of %s is hidden by %s", entry.name, entry.value, found[entry.name].value)
    return dict(sorted(found.items(), key=lambda item: others_last(item[1])))


def _from_variable(variable: str) -> Iterator[EntryPoint]:
    from importlib.metadata import EntryPoint

    for part in filter(None, (part.strip() for part in variable.split(","))):
        name, _, value = part.partition("=")
        yield EntryPoint(name.strip(), value.strip(), GROUP)


def _describe(entry: EntryPoint) -> EngineInfo:
    try:
        info = entry.load()().describe()
        if not isinstance(info, EngineInfo):
            raise TypeError(f"describe() gave a {type(info).__name__}, not an EngineInfo")
        if info.id != entry.name:
            raise ValueError(f"it calls itself {info.id!r} but is registered as {entry.name!r}")
        json.dumps(info.to_json())
        return info
    except (Exception, SystemExit) as error:
        log.warning("engine %r (%s) is unusable", entry.name, entry.value, exc_info=True)
        reason = f"{type(error).__name__}: {error}"[:500]
        return EngineInfo(
            entry.name,
            entry.name,
            "This engine could not be loaded.",
            inputs=(),
            problem=f"{reason}. Update or remove the package that provides it ({entry.value}).",
        )
