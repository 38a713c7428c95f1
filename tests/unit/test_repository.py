"""What holds for every file that git tracks: size, and no word about the machine it was written on."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

LONGEST = 400
# Written in two parts, so that this file does not match itself.
MACHINE = re.compile(r"(?<![\w.\"'-])/(?:work|root)" + r"/|\b(?:files\.)?python" + r"hosted\b|\bpypi" + r"\.org\b")


@pytest.fixture(scope="module")
def tracked() -> list[Path]:
    child = subprocess.run(["git", "-C", str(ROOT), "ls-files", "-z"], capture_output=True, text=True)
    if child.returncode:
        pytest.skip("this is no git checkout")
    return [path for name in child.stdout.split("\0") if name and (path := ROOT / name).is_file()]


def text_of(path: Path) -> str:
    try:
        return path.read_text()
    except UnicodeDecodeError:
        return ""


def test_no_source_file_is_longer_than_the_limit(tracked: list[Path]) -> None:
    lengths = {
        path.relative_to(ROOT).as_posix(): len(text_of(path).splitlines()) for path in tracked if path.suffix == ".py"
    }
    assert {name: length for name, length in lengths.items() if length > LONGEST} == {}


def test_no_file_names_the_machine_it_was_written_on_or_a_package_registry(tracked: list[Path]) -> None:
    found = {
        path.relative_to(ROOT).as_posix(): match[0] for path in tracked if (match := MACHINE.search(text_of(path)))
    }
    assert found == {}
