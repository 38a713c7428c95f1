"""Setting up: a fitting Python is found or named, an environment is made once, missing libraries are brought in."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import blender
import blender_libraries
import demo
import environment
import pytest

ROOT = Path(__file__).resolve().parents[2]

SCRIPT = ROOT / "tools" / "environment.sh"
posix = pytest.mark.skipif(sys.platform == "win32", reason="the make targets are for Linux and macOS")


def program(folder: Path, name: str, text: str) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def prepare(folder: Path, what: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run environment.sh where only the programs in `folder` are installed."""
    program(folder, "dirname", 'echo "${1%/*}"')
    return subprocess.run(
        ["/bin/sh", str(SCRIPT), what],
        env={"PATH": str(folder), **variables},
        capture_output=True,
        text=True,
        timeout=30,
    )


@posix
@pytest.mark.parametrize(("what", "name"), [("backend", "Python 3.11 or newer"), ("blender", "Python 3.11")])
def test_without_a_fitting_python_one_sentence_says_what_to_install(tmp_path: Path, what: str, name: str) -> None:
    program(tmp_path, "python3", "exit 1")
    child = prepare(tmp_path, what)
    assert child.returncode == 1
    assert child.stderr.startswith(f"{name} is needed and was not found: install it")
    assert child.stderr.count("\n") == 1


@posix
def test_a_python_without_venv_names_the_package_that_brings_it(tmp_path: Path) -> None:
    reply = 'case "$2" in *ensurepip*) exit 1;; *print*) echo python3.11-venv;; esac'
    program(tmp_path, "python3.11", reply)
    child = prepare(tmp_path, "backend")
    assert child.returncode == 1
    assert "sudo apt install python3.11-venv" in child.stderr
    assert child.stderr.count("\n") == 1


@posix
def test_a_named_python_that_does_not_fit_is_refused_even_if_another_would_fit(tmp_path: Path) -> None:
    program(tmp_path, "python3.11", "exit 0")
    child = prepare(tmp_path, "backend", PYTHON=str(program(tmp_path, "python2", "exit 1")))
    assert child.returncode == 1
    assert child.stderr == f"PYTHON={tmp_path}/python2 is not Python 3.11 or newer with its venv module.\n"


@posix
def test_uv_is_asked_for_a_python_when_none_fits(tmp_path: Path) -> None:
    program(tmp_path, "fetched", 'echo "made with $*"')
    program(tmp_path, "uv", f'[ "$2" = install ] || echo {tmp_path}/fetched')
    child = prepare(tmp_path, "blender")
    assert child.returncode == 0
    assert "uv fetches Python 3.11" in child.stdout
    assert child.stdout.rstrip().endswith("environment.py blender")


@pytest.fixture
def pip_calls(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What pip would have installed, instead of installing it."""
    calls: list[list[str]] = []

    def run_pip(folder: Path, packages: list[str]) -> int:
        calls.append(packages)
        (folder / environment.LOG).write_text("pip's last words\n")
        return 0

    monkeypatch.setattr(environment, "run_pip", run_pip)
    monkeypatch.setattr(environment, "works", lambda folder: folder.is_dir())
    monkeypatch.setattr(environment, "prepare_kernels", lambda folder: 0)
    return calls


def test_a_complete_environment_is_left_alone(tmp_path: Path, pip_calls: list[list[str]]) -> None:
    assert environment.prepare_backend(tmp_path, {"cpu", "dev"}) == 0
    assert environment.prepare_backend(tmp_path, {"cpu"}) == 0
    assert pip_calls == [["--constraint", str(environment.CONSTRAINTS), "--editable", f"{ROOT}[cpu,dev]"]]


def test_extras_that_were_installed_stay(tmp_path: Path, pip_calls: list[list[str]]) -> None:
    environment.prepare_backend(tmp_path, {"dev"})
    environment.prepare_backend(tmp_path, {"cpu"})
    assert pip_calls[1][-1] == f"{ROOT}[cpu,dev]"


def test_an_environment_is_completed_again_after_a_failed_installation(
    tmp_path: Path, pip_calls: list[list[str]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    working = environment.run_pip

    def failing(folder: Path, packages: list[str]) -> int:
        return working(folder, packages) or 7

    environment.prepare_backend(tmp_path, set())
    monkeypatch.setattr(environment, "run_pip", failing)
    assert environment.prepare_backend(tmp_path, {"cpu"}) == 7
    assert "pip's last words" in capsys.readouterr().out
    monkeypatch.setattr(environment, "run_pip", working)
    assert environment.prepare_backend(tmp_path, set()) == 0
    assert len(pip_calls) == 3


def test_a_moved_checkout_is_installed_again(
    tmp_path: Path, pip_calls: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    environment.prepare_backend(tmp_path, set())
    monkeypatch.setattr(environment, "ROOT", tmp_path)
    (tmp_path / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text())
    environment.prepare_backend(tmp_path, set())
    assert len(pip_calls) == 2


@posix
@pytest.mark.parametrize(("status", "outcome"), [(0, 0), (1, 0), (130, 130)])
def test_kernels_that_cannot_be_compiled_do_not_spoil_an_environment_but_ctrl_c_ends_it(
    tmp_path: Path, status: int, outcome: int, capfd: pytest.CaptureFixture[str]
) -> None:
    program(tmp_path / "bin", "python", f'echo "$*"; exit {status}')
    assert environment.prepare_kernels(tmp_path) == outcome
    assert "-m omagen prepare" in capfd.readouterr().out


def test_the_dynamic_linker_is_asked_which_libraries_are_missing() -> None:
    assert blender_libraries.missing(["libdoesnotexist.so.9"]) == ["libdoesnotexist.so.9"]


def test_missing_libraries_are_named_with_their_packages_where_apt_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(blender_libraries, "import_error", lambda _: "ImportError: libX11.so.6")
    monkeypatch.setattr(blender_libraries, "missing", lambda _: ["libxcb.so.1", "libX11.so.6"])
    monkeypatch.setattr(blender_libraries.shutil, "which", lambda _: None)
    assert "sudo apt install libx11-6;" in blender_libraries.complete(tmp_path)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lacks such libraries")
def test_preloaded_libraries_are_in_the_process_before_the_first_import(tmp_path: Path) -> None:
    library = tmp_path / "system" / "libz.so.1"
    library.parent.mkdir()
    library.touch()
    site = tmp_path / "lib" / "python3.11" / "site-packages"
    site.mkdir(parents=True)
    blender_libraries.preload(tmp_path, [library])
    code = f"import site; site.addsitedir({str(site)!r})"
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert f"{library}: file too short" in child.stderr


@posix
@pytest.mark.parametrize(
    ("text", "version"),
    [("echo Blender 4.3.2", (4, 3, 2)), ("echo Blender 4.3.2; exit 1", None), ("echo Blunder 5.0.0", None)],
)
def test_a_program_is_blender_when_it_says_so(tmp_path: Path, text: str, version: tuple[int, ...] | None) -> None:
    assert blender.program_version(str(program(tmp_path, "blender", text))) == version


@posix
def test_a_named_blender_that_is_too_old_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BLENDER", str(program(tmp_path, "blender", "echo Blender 3.6.5")))
    with pytest.raises(SystemExit, match=r"is not a Blender 4\.2 or newer"):
        blender.obtain()


@posix
def test_a_blender_program_is_preferred_to_the_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BLENDER", raising=False)
    monkeypatch.setenv("PATH", str(program(tmp_path, "blender", "echo Blender 5.2.2").parent))
    assert blender.obtain().program == str(tmp_path / "blender")


def test_the_sample_photograph_is_there() -> None:
    assert demo.sample_photograph().is_file()
