"""Compiled kernels: where they are kept, when they are out of date, what several processes do to them."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from omagen.kernels import cache, folder, preparation, stamp
from omagen.kernels.waiting import STAGE, Preparation
from omagen.protocol import ErrorCode, OmagenError


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty cache for this process."""
    monkeypatch.setenv(folder.VARIABLE, str(tmp_path / "cache"))
    for cached in (folder.cache_folder, cache._folder, cache._lines):
        cached.cache_clear()
    yield tmp_path / "cache"
    for cached in (folder.cache_folder, cache._folder, cache._lines):
        cached.cache_clear()


SOURCE = """
import numba
{imported}
FACTOR = {factor}

@numba.njit(cache=True, nogil=True)
def outer(x):
    return inner(x) * FACTOR

@numba.njit(cache=True, nogil=True)
def inner(x):
    return x + {term}
"""


def kernels(path: Path, factor: int = 1, term: int = 1, imported: str = "") -> ModuleType:
    """A module with two kernels, the first of which uses the second and a constant, as a process would import it."""
    path.write_text(SOURCE.format(factor=factor, term=term, imported=imported))
    cache._lines.cache_clear()
    import linecache

    linecache.checkcache()
    spec = importlib.util.spec_from_file_location(f"omagen.{path.stem}", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    cache.install()
    spec.loader.exec_module(module)
    return module


def compiled(module: ModuleType) -> int:
    return sum(module.outer.stats.cache_misses.values())


def test_a_kernel_is_compiled_once(place: Path, tmp_path: Path) -> None:
    module = kernels(tmp_path / "sample.py")
    assert module.outer(1) == 2 and compiled(module) == 1
    again = kernels(tmp_path / "sample.py")
    assert again.outer(1) == 2 and compiled(again) == 0
    assert list(place.rglob("*.nbc"))


def test_a_kernel_is_compiled_again_when_what_it_uses_changes(place: Path, tmp_path: Path) -> None:
    kernels(tmp_path / "sample.py").outer(1)
    changed = kernels(tmp_path / "sample.py", term=2)
    assert changed.outer(1) == 3 and compiled(changed) == 1
    changed = kernels(tmp_path / "sample.py", term=2, factor=10)
    assert changed.outer(1) == 30 and compiled(changed) == 1


def test_a_change_elsewhere_in_the_file_costs_nothing(place: Path, tmp_path: Path) -> None:
    kernels(tmp_path / "sample.py").outer(1)
    moved = kernels(tmp_path / "sample.py", imported="\n# a remark\nOTHER = 3\n")
    assert moved.outer(1) == 2 and compiled(moved) == 0


def test_a_kernel_of_another_file_is_minded(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def user(term: int) -> ModuleType:
        monkeypatch.setitem(sys.modules, "omagen.callee", kernels(tmp_path / "callee.py", term=term))
        path = tmp_path / "caller.py"
        text = "import numba\nfrom omagen.callee import outer as called\n@numba.njit(cache=True)\ndef outer(x):\n"
        path.write_text(text + "    return called(x)\n")
        spec = importlib.util.spec_from_file_location("omagen.caller", path)
        assert spec and spec.loader
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    assert user(1).outer(1) == 2
    assert user(5).outer(1) == 6


def test_two_specialisations_saved_at_once_both_stay(place: Path, tmp_path: Path) -> None:
    """Numba alone reads the index, adds to it and writes it, so that one of two processes is forgotten."""
    kernels(tmp_path / "sample.py")
    code = (
        "import importlib.util as u, sys; from omagen.kernels import cache; cache.install();"
        "spec = u.spec_from_file_location('omagen.sample', sys.argv[1]); m = u.module_from_spec(spec);"
        "sys.modules['omagen.sample'] = m; spec.loader.exec_module(m); result = m.outer(eval(sys.argv[2]));"
        "print(result, sum(m.outer.stats.cache_misses.values()))"
    )
    values = ("1", "1.5", "1j", "True")
    command = [sys.executable, "-c", code, str(tmp_path / "sample.py")]
    first = [subprocess.Popen([*command, value], stdout=subprocess.PIPE, text=True) for value in values]
    answers = [process.communicate(timeout=120)[0].split() for process in first]
    assert [answer[1] for answer in answers] == ["1"] * len(values)
    for value, answer in zip(values, answers, strict=True):
        again = subprocess.run([*command, value], stdout=subprocess.PIPE, text=True, timeout=120, check=True)
        assert again.stdout.split() == [answer[0], "0"]


def test_a_damaged_file_is_made_anew(place: Path, tmp_path: Path) -> None:
    kernels(tmp_path / "sample.py").outer(1)
    for path in place.rglob("*.nbc"):
        path.write_bytes(path.read_bytes()[:100])
    again = kernels(tmp_path / "sample.py")
    assert again.outer(1) == 2 and compiled(again) == 1
    assert compiled(kernels(tmp_path / "sample.py")) == 0


def test_a_full_disk_is_no_reason_to_fail(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = kernels(tmp_path / "sample.py")

    def refuse(*arguments: object, **options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("numba.core.caching.IndexDataCacheFile._save_index", refuse)
    assert module.outer(1) == 2


@pytest.mark.skipif(os.name != "posix", reason="folders that cannot be written are made with POSIX permissions")
def test_a_package_that_cannot_be_written_falls_back_to_the_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "package"
    package.mkdir()
    (package / "__pycache__").write_text("")  # in the way, also for the administrator
    monkeypatch.delenv(folder.VARIABLE, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))
    monkeypatch.setattr(folder, "PACKAGE", package)
    monkeypatch.setattr(folder, "_user_cache", lambda: tmp_path / "user")
    chosen = folder.cache_folder.__wrapped__()
    assert chosen is not None and chosen.is_relative_to(tmp_path / "user" / "omagen")
    (tmp_path / "nowhere").write_text("")
    monkeypatch.setattr(folder, "_user_cache", lambda: tmp_path / "nowhere")
    assert folder.cache_folder.__wrapped__() is None


def test_what_is_prepared_depends_on_the_processor(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not stamp.is_prepared()
    stamp.mark_prepared()
    assert stamp.is_prepared()
    assert preparation.prepare(lambda what, fraction: None) == 0
    before = stamp.fingerprint.__wrapped__()
    monkeypatch.setenv("NUMBA_CPU_NAME", "generic")
    assert stamp.fingerprint.__wrapped__() != before


def test_without_a_folder_preparing_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preparation, "is_prepared", lambda: False)
    monkeypatch.setattr(preparation, "cache_folder", lambda: None)
    with pytest.raises(OmagenError, match=folder.VARIABLE) as refusal:
        preparation.prepare(lambda what, fraction: None)
    assert refusal.value.code is ErrorCode.ENVIRONMENT


def test_who_waits_sees_how_far_it_is_and_may_stop_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    go_on, heard = threading.Event(), []

    def prepare(report: preparation.Report) -> int:
        report("Compiling kernels: charts", 0.25)
        go_on.wait(20)
        return 3

    monkeypatch.setattr(preparation, "prepare", prepare)
    waiting = Preparation()

    def cancel(stage: str, fraction: float) -> None:
        heard.append((stage, fraction))
        raise OmagenError(ErrorCode.CANCELLED, "Cancelled.")

    with pytest.raises(OmagenError):
        waiting.wait(cancel)
    assert heard == [(STAGE, 0.25)]
    go_on.set()
    waiting.wait(lambda stage, fraction: None)


def test_a_preparation_that_fails_lets_the_job_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def prepare(report: preparation.Report) -> int:
        raise RuntimeError("a kernel does not compile")

    monkeypatch.setattr(preparation, "prepare", prepare)
    Preparation().wait(lambda stage, fraction: None)
