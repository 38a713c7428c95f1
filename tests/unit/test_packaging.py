"""The extension that users install: its manifest keeps Blender's rules, its zip holds what belongs in it."""

from __future__ import annotations

import re
import subprocess
import tomllib
import zipfile
from pathlib import Path

import blender
import extension
import omagen
import pytest

ROOT = Path(__file__).resolve().parents[2]

MANIFEST = tomllib.loads((ROOT / "blender_manifest.toml").read_text())
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The zip as `make extension` builds it, by the bpy module's builder and validator."""
    if not blender.MODULE_PYTHON.exists():
        pytest.skip("there is no .venv-blender: run `make test`")
    return extension.build(tmp_path_factory.mktemp("extension"), blender.Blender("the bpy module", None))


@pytest.fixture(scope="module")
def names(archive: Path) -> set[str]:
    with zipfile.ZipFile(archive) as contents:
        return set(contents.namelist())


def test_the_manifest_has_the_version_of_the_package() -> None:
    assert MANIFEST["version"] == omagen.__version__
    assert re.fullmatch(r"\d+\.\d+\.\d+(-[0-9A-Za-z.]+)?", MANIFEST["version"])


@pytest.mark.parametrize("text", [MANIFEST["tagline"], *MANIFEST["permissions"].values()])
def test_texts_of_the_manifest_are_short_and_end_without_punctuation(text: str) -> None:
    assert 0 < len(text) <= 64
    assert text[-1].isalnum() or text[-1] == ")"


def test_the_manifest_asks_only_for_what_the_add_on_uses() -> None:
    assert set(MANIFEST["permissions"]) == {"files", "network"}


def test_the_manifest_and_the_package_have_the_same_licence() -> None:
    assert MANIFEST["license"] == [f"SPDX:{PROJECT['project']['license']}"]


@pytest.mark.usefixtures("archive")
def test_the_validator_refuses_a_tag_that_blender_does_not_know(tmp_path: Path) -> None:
    text = (ROOT / "blender_manifest.toml").read_text().replace('"Mesh"', '"Magic"')
    (tmp_path / "blender_manifest.toml").write_text(text)
    (tmp_path / "__init__.py").touch()
    with pytest.raises(subprocess.CalledProcessError) as refusal:
        blender.Blender("the bpy module", None).extension("validate", str(tmp_path))
    assert "Magic" in refusal.value.output


def test_the_zip_holds_every_module_of_the_add_on_and_of_the_backend(names: set[str]) -> None:
    modules = {p.relative_to(ROOT).as_posix() for top in ("addon", "backend") for p in (ROOT / top).rglob("*.py")}
    assert modules <= names


def test_the_zip_holds_what_pip_needs_to_install_the_backend_from_it(names: set[str]) -> None:
    project = PROJECT["project"]
    assert {"pyproject.toml", project["readme"], *project["license-files"]} <= names
    assert PROJECT["tool"]["hatch"]["version"]["path"] in names


def test_the_zip_holds_nothing_else(archive: Path, names: set[str]) -> None:
    assert not extension.strangers(archive)
    assert not [name for name in names if "__pycache__" in name or "/." in name or name.startswith(".")]
    assert archive.stat().st_size < 4 * 2**20


def test_a_file_that_does_not_belong_in_the_zip_is_named(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as contents:
        contents.writestr("addon/__init__.py", "")
        contents.writestr("holiday/photo.jpg", "")
    assert extension.strangers(tmp_path / "x.zip") == ["holiday"]
