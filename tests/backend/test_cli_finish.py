"""omagen finish and omagen inspect as a user runs them, in processes of their own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from omagen.geometry.quality import quality_report
from omagen.io.glb_writer import write_glb
from omagen.io.meshes import read_mesh
from omagen.kernels.samples import ball
from omagen.shapes import Mesh
from sample_meshes import cube

SMALL = ("--texture", "64", "--quiet")


class Cli:
    """Runs `omagen` in a folder of its own with a data folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {**os.environ, "OMAGEN_DATA": str(folder / "data"), "HOME": str(folder)}

    def start(self, *arguments: str | Path) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "omagen", *map(str, arguments)]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, cwd=self.folder, env=self.environment)

    def __call__(self, *arguments: str | Path, status: int = 0) -> tuple[str, str]:
        """Standard output and standard error of a run that ends with `status`."""
        process = self.start(*arguments)
        out, err = process.communicate(timeout=240)
        assert process.returncode == status, out + err
        assert "Traceback" not in out + err
        return out, err


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    write_glb(ball(48, 24), tmp_path / "ball.glb", {})
    return Cli(tmp_path)


def test_a_mesh_is_finished_with_its_levels(cli: Cli) -> None:
    out, _ = cli("finish", "ball.glb", "-o", "done.glb", "--faces", "800", "--lods", "3", "--json", *SMALL)
    (line,) = [json.loads(text) for text in out.splitlines()]
    assert line["state"] == "succeeded" and line["result"]["report"]["level_triangles"] == [800, 400, 200]
    for name, count in (("done.glb", 800), ("done_lod1.glb", 400), ("done_lod2.glb", 200)):
        mesh, warnings = read_mesh(cli.folder / name)
        assert len(mesh.faces) == count and not warnings
        report = quality_report(mesh)
        assert report["watertight"] and report["texture_coverage"] == 1.0
    (told,) = cli("inspect", "done.glb", "--json")[0].splitlines()
    mesh, _ = read_mesh(cli.folder / "done.glb")
    assert json.loads(told)["report"] == json.loads(json.dumps(quality_report(mesh)))


def test_the_sentence_says_what_was_made(cli: Cli) -> None:
    out, err = cli("finish", "ball.glb", "-o", "done.glb", "--faces", "800", "--texture", "64")
    assert out.startswith("done.glb: 800 faces of 2,208, watertight, ") and "textures of 64 pixels" in out
    assert "simplifying" in err


def test_a_folder_is_finished_once_and_again_only_where_something_changed(cli: Cli) -> None:
    (cli.folder / "in").mkdir()
    write_glb(cube(uv=None), cli.folder / "in" / "a.glb", {})
    write_glb(ball(24, 12), cli.folder / "in" / "b.glb", {})
    run = ("finish", "in", "-o", "out", "--json", *SMALL)
    assert [json.loads(text)["state"] for text in cli(*run)[0].splitlines()] == ["succeeded"] * 2
    assert [json.loads(text)["state"] for text in cli(*run)[0].splitlines()] == ["skipped"] * 2
    write_glb(ball(24, 14), cli.folder / "in" / "b.glb", {})
    assert sorted(json.loads(text)["state"] for text in cli(*run)[0].splitlines()) == ["skipped", "succeeded"]
    other = [*run, "--faces", "100"]
    assert [json.loads(text)["state"] for text in cli(*other)[0].splitlines()] == ["succeeded"] * 2


def test_one_bad_file_does_not_keep_the_others(cli: Cli) -> None:
    (cli.folder / "bad.glb").write_bytes(b"glTF nonsense")
    _, err = cli("finish", "bad.glb", "ball.glb", "-o", "out", *SMALL, status=1)
    assert (cli.folder / "out" / "ball.glb").exists() and not (cli.folder / "out" / "bad.glb").exists()
    assert "1 of 2 files failed" in err and "cannot be read" in err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("ball.glb", "-o", "ball.obj"), "*.glb"),
        (("ball.glb", "-o", "ball.glb"), "is an input too"),
        (("ball.glb", "-o", "x.glb", "--texture", "3"), "3 pixels"),
        (("ball.glb", "-o", "x.glb", "--maps", "height"), "no such map"),
        (("missing.glb", "-o", "x.glb"), "missing.glb"),
    ],
)
def test_wrong_usage_is_said_in_words(cli: Cli, arguments: tuple[str, ...], words: str) -> None:
    _, err = cli("finish", *arguments, status=2)
    assert words in err


def test_being_interrupted_leaves_nothing_behind(cli: Cli) -> None:
    write_glb(ball(900, 450), cli.folder / "large.glb", {})
    process = cli.start("finish", "large.glb", "-o", "out.glb", "--texture", "4096")
    assert process.stderr is not None
    for line in process.stderr:
        if "simplifying" in line:
            break
    begin = time.monotonic()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)
    assert process.returncode == 130 and time.monotonic() - begin < 5
    assert {path.name for path in cli.folder.iterdir() if path.suffix in (".glb", ".part")} == {"ball.glb", "large.glb"}


def test_inspect_is_a_table_that_a_human_can_read(cli: Cli) -> None:
    mesh = ball(24, 12)
    write_glb(Mesh(mesh.vertices, mesh.faces[3:]), cli.folder / "open.glb", {})
    out, _ = cli("inspect", "open.glb")
    lines = {line.rsplit("  ", 1)[0].strip(): line.rsplit("  ", 1)[1].strip() for line in out.splitlines()}
    assert lines["Watertight"] == "no" and lines["Triangles"] == "525" and lines["UV stretch (1 is none)"] == "none"
    assert int(lines["Open edges"]) > 0
    out, _ = cli("inspect", "open.glb", "ball.glb")
    assert out.startswith("open.glb\n") and "\nball.glb\n" in out
    assert "There is no file nothing.glb" in cli("inspect", "nothing.glb", status=2)[1]
    out, err = cli("inspect", "nothing.glb", "ball.glb", status=1)
    assert "Triangles" in out and "nothing.glb" in err


def test_kept_uv_come_out_bit_for_bit(cli: Cli) -> None:
    given = cube()
    write_glb(given, cli.folder / "cube.glb", {})
    cli("finish", "cube.glb", "-o", "same.glb", "--unwrap", "keep", "--materials", "keep", *SMALL)
    before, _ = read_mesh(cli.folder / "cube.glb")
    after, _ = read_mesh(cli.folder / "same.glb")
    for name in ("vertices", "faces", "uv", "normals"):
        assert np.array_equal(getattr(before, name), getattr(after, name))
