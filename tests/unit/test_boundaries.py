"""Who may import what: the add-on is pure Python, the backend knows no Blender, what must start fast imports little."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

BLENDER = {"bl_ui", "blf", "bpy", "bpy_extras", "gpu", "mathutils"}
ADDON = sorted([ROOT / "__init__.py", *(ROOT / "addon").rglob("*.py")])
BACKEND = sorted((ROOT / "backend").rglob("*.py"))
COMMON = ("backend.omagen.protocol", "backend.omagen.bundle", "backend.omagen.omage_layout")
"""What both sides speak: standard library and one another only."""
HEAVY = ("torch", "cv2", "scipy", "skimage", "trimesh", "onnxruntime", "rembg")


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """All that a file imports, wherever in it: (level, dotted name); a relative name counts from the repository."""
    for node in ast.walk(ast.parse(path.read_text(), str(path))):
        if isinstance(node, ast.Import):
            yield from ((0, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = path.relative_to(ROOT).parts[: -node.level] if node.level else ()
            base = [*package, *filter(None, [node.module])]
            yield from ((node.level, ".".join([*base, alias.name])) for alias in node.names)


def top(path: Path) -> set[str]:
    return {name.partition(".")[0] for level, name in imports(path) if level == 0}


def shown(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", ADDON, ids=shown)
def test_the_add_on_imports_only_blender_numpy_and_the_standard_library(path: Path) -> None:
    assert top(path) <= set(sys.stdlib_module_names) | BLENDER | {"numpy"}


@pytest.mark.parametrize("path", ADDON, ids=shown)
def test_of_the_backend_the_add_on_imports_what_both_sides_speak_only(path: Path) -> None:
    reached = {name for level, name in imports(path) if level and name.partition(".")[0] == "backend"}
    assert {name for name in reached if not name.startswith(COMMON)} == set()


@pytest.mark.parametrize("path", sorted((ROOT / "addon" / "client").rglob("*.py")), ids=shown)
def test_the_client_works_without_blender(path: Path) -> None:
    assert not top(path) & BLENDER


@pytest.mark.parametrize("path", BACKEND, ids=shown)
def test_the_backend_knows_no_blender(path: Path) -> None:
    assert not top(path) & BLENDER


@pytest.mark.parametrize("name", ["__init__", "bundle", "omage_layout", "protocol"])
def test_what_blender_shares_with_the_backend_is_standard_library_only(name: str) -> None:
    path = ROOT / "backend" / "omagen" / f"{name}.py"
    assert top(path) <= set(sys.stdlib_module_names)
    assert not [module for level, module in imports(path) if level and not module.startswith(COMMON)]


@pytest.mark.parametrize(
    ("module", "unwanted"),
    [
        ("omagen.protocol", ("numpy", "fastapi", *HEAVY)),
        ("omagen.omage_layout", ("numpy", "fastapi", *HEAVY)),
        ("omagen.cli", ("numpy", "fastapi", "uvicorn", *HEAVY)),
        ("omagen.server.app", HEAVY),
        ("omagen.engines", HEAVY),
    ],
)
def test_importing_what_must_start_fast_does_not_import_what_is_slow(module: str, unwanted: tuple[str, ...]) -> None:
    code = f"import sys, {module}; print(*sorted(set(sys.modules) & set({unwanted!r})))"
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert child.returncode == 0, child.stderr
    assert child.stdout.split() == []
