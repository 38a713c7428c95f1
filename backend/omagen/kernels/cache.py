"""Has numba keep our compiled kernels in `cache_folder()`, safely and never out of date.

What numba's own cache lacks: it goes by the file that a kernel is in, so that a kernel stays in the cache when a kernel
or a constant that it takes from another file changes; two processes that save different specialisations of one kernel
at once can leave an index that points to the wrong code; and a full disk fails the computation.
"""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import linecache
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from functools import cache, cached_property
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any, Final

import numpy as np
from numba.core import caching
from numba.core.dispatcher import Dispatcher

from omagen.kernels.folder import cache_folder

log = logging.getLogger(__name__)

_PACKAGE: Final = "omagen."
_LOCK_WAIT_S: Final = 20.0
_PLAIN: Final = (int, float, complex, str, bytes, bool, tuple, type(None), np.generic, np.dtype)


def install() -> None:
    """Take effect for all kernels of this package that are defined from now on. May be called again."""
    locators: list[type] = caching.CacheImpl._locator_classes
    if KernelLocator in locators:
        return
    locators.insert(0, KernelLocator)
    files = caching.IndexDataCacheFile
    files.save = _guarded(files.save, OSError)
    files.load = _guarded(files.load, Exception)  # a file cut short by a power failure makes unpickling raise anything


class KernelLocator(caching._CacheLocator):
    """Tells numba where a kernel's code is kept and what it depends on."""

    def __init__(self, function: FunctionType, file: str) -> None:
        self._py_file, self._function = file, function
        lines = _lines(file)
        self._folder = _folder() / function.__module__.removeprefix(_PACKAGE)
        self._digest = KernelDigest(function, lines)

    @classmethod
    def from_function(cls, function: FunctionType, file: str) -> KernelLocator | None:
        return cls(function, file) if function.__module__.startswith(_PACKAGE) else None

    def get_cache_path(self) -> str:
        return str(self._folder)

    def ensure_cache_path(self) -> None:
        with contextlib.suppress(OSError):  # where nothing can be written, saving will say so
            self._folder.mkdir(parents=True, exist_ok=True)

    def get_source_stamp(self) -> KernelDigest:
        return self._digest

    def get_disambiguator(self) -> str:
        return "kernel"  # names are unique in a module, and lines move


class KernelDigest:
    """Text that changes with a kernel's source or with a kernel or constant that it uses, from any file.

    It is found when it is needed first: kernels may use what is defined after them.
    """

    def __init__(self, function: FunctionType, lines: tuple[str, ...]) -> None:
        self._function, self._lines = function, lines

    @cached_property
    def text(self) -> str:
        parts: dict[str, str] = {}
        waiting: list[tuple[FunctionType, tuple[str, ...]]] = [(self._function, self._lines)]
        while waiting:
            function, lines = waiting.pop()
            key = f"{function.__module__}.{function.__qualname__}"
            if key in parts:
                continue
            parts[key] = _source(function.__code__, lines)
            for name, value in _used(function):
                if isinstance(value, Dispatcher):
                    callee = value.py_func
                    waiting.append((callee, _lines(callee.__code__.co_filename)))
                else:
                    parts[f"{key}:{name}"] = _described(value)
        return hashlib.sha256(repr(sorted(parts.items())).encode()).hexdigest()

    def __eq__(self, other: object) -> bool:
        return self.text == (other.text if isinstance(other, KernelDigest) else other)

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> tuple[type, tuple[str]]:
        return str, (self.text,)  # in the index it is plain text


def _used(function: FunctionType) -> Iterator[tuple[str, Any]]:
    """Globals that `function` uses, and kernels of the scope around it; numba itself minds the other values there."""
    for name in sorted(_names(function.__code__)):
        if name in function.__globals__:
            yield name, function.__globals__[name]
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        with contextlib.suppress(ValueError):  # not filled yet
            if isinstance(cell.cell_contents, Dispatcher):
                yield name, cell.cell_contents


def _names(code: CodeType) -> set[str]:
    inner = [_names(constant) for constant in code.co_consts if isinstance(constant, CodeType)]
    return set(code.co_names).union(*inner)


def _described(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"{value.dtype} {value.shape} {hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()}"
    if isinstance(value, _PLAIN):
        return repr(value)
    if isinstance(value, ModuleType):
        file = value.__file__ if value.__name__.startswith(_PACKAGE) else None
        return value.__name__ + (_text_digest(file) if file else "")
    return f"{getattr(value, '__module__', '')}.{getattr(value, '__qualname__', type(value).__qualname__)}"


def _source(code: CodeType, lines: tuple[str, ...]) -> str:
    """The lines of a function with its decorators."""
    return "".join(lines[code.co_firstlineno - 1 : _last_line(code)])


def _last_line(code: CodeType) -> int:
    inner = [_last_line(constant) for constant in code.co_consts if isinstance(constant, CodeType)]
    return max([code.co_firstlineno, *inner, *(line for _, _, line in code.co_lines() if line)])


@cache
def _lines(file: str) -> tuple[str, ...]:
    """The file as it was when its first kernel was defined, which is what runs, whatever becomes of the file."""
    return tuple(linecache.getlines(file))


@cache
def _text_digest(file: str) -> str:
    return hashlib.sha256("".join(_lines(file)).encode()).hexdigest()


@cache
def _folder() -> Path:
    """`cache_folder()`, or one for this process alone: without any, numba refuses to define kernels."""
    folder = cache_folder()
    if folder is None:
        log.warning("no folder for compiled kernels can be written: they are compiled by every process anew")
        folder = Path(tempfile.mkdtemp(prefix="omagen-kernels-"))
        atexit.register(_remove, folder, os.getpid())
    return folder


def _remove(folder: Path, process: int) -> None:
    if os.getpid() == process:  # a forked child must not
        shutil.rmtree(folder, ignore_errors=True)


def _guarded(method: Callable[..., Any], forgiven: type[Exception]) -> Callable[..., Any]:
    """`method` of a cache file of ours for one process at a time; if the file is no good, the kernel is not cached."""

    def guarded(self: Any, *args: Any) -> Any:
        if not isinstance(self._source_stamp, KernelDigest):
            return method(self, *args)
        try:
            with _lock():
                return method(self, *args)
        except forgiven as error:
            log.warning("the cache of compiled kernels cannot be used: %s: %s", type(error).__name__, error)
            return None

    return guarded


@contextlib.contextmanager
def _lock() -> Iterator[None]:
    """Between processes; without it where the folder is read-only or its file system has no locks."""
    import filelock

    lock = filelock.FileLock(_folder() / "lock", timeout=_LOCK_WAIT_S)
    try:
        lock.acquire()
    except (OSError, NotImplementedError):  # a time-out is an OSError, too
        yield
        return
    try:
        yield
    finally:
        lock.release()
