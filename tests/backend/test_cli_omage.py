"""omagen encode, decode and omage as a user runs them: files in, files out, exit statuses, what is said."""

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
from omagen.io.glb_writer import write_glb
from omagen.io.meshes import read_mesh
from omagen.omage.files import read_omage
from omagen.omage_layout import part_start
from sample_meshes import cube

SMALL = ("--resolution", "32")


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

    def lines(self, *arguments: str | Path, status: int = 0) -> list[dict]:
        """The JSON lines of a run."""
        return [json.loads(line) for line in self(*arguments, "--json", "--quiet", status=status)[0].splitlines()]

    def parts(self) -> list[Path]:
        """What an unfinished run would leave."""
        return [path for path in self.folder.rglob(".*") if path.name.endswith(".part")]


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    write_glb(cube(), tmp_path / "cube.glb", {})
    return Cli(tmp_path)


@pytest.fixture
def cli_with_omage(cli: Cli) -> Cli:
    cli("encode", "cube.glb", "-o", "cube.omage", *SMALL)
    return cli


@pytest.mark.parametrize("output", ["picture", "cube.omage", "cube.npz"])
def test_a_mesh_becomes_what_the_output_names_and_a_mesh_again(cli: Cli, output: str) -> None:
    out, err = cli("encode", "cube.glb", "-o", output, *SMALL)
    assert out.startswith(f"{output}: 32 x 32")
    assert "reading the mesh" in err
    assert (cli.folder / output).is_dir() == (output == "picture")
    assert read_omage(cli.folder / output)[0].resolution == 32
    out, _ = cli("decode", output, "-o", "back.glb")
    mesh, warnings = read_mesh(cli.folder / "back.glb")
    assert warnings == ()
    sides = np.ptp(mesh.vertices, axis=0)
    scale = 1.9999 if output.endswith(".npz") else 1  # the array file does not hold the size
    assert sides == pytest.approx(scale, rel=1e-3)
    assert "watertight" in out
    assert not cli.parts()


def test_without_an_output_results_are_named_after_their_sources(cli: Cli) -> None:
    cli("encode", "cube.glb", *SMALL)
    (cli.folder / "cube.glb").unlink()
    cli("decode", "cube.omage")
    assert (cli.folder / "cube.glb").exists()


def test_decoding_never_overwrites_its_source_nor_encoding(cli_with_omage: Cli) -> None:
    _, err = cli_with_omage("encode", "cube.glb", "-o", "cube.glb/", *SMALL, status=2)
    assert "cube.glb is a file" in err


def test_folders_are_converted_with_what_is_below_and_resumed(cli: Cli) -> None:
    (cli.folder / "in" / "deep").mkdir(parents=True)
    for place in ("in/a.glb", "in/deep/a.glb"):
        write_glb(cube(), cli.folder / place, {})
    (cli.folder / "in" / "a.obj").write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n")
    (cli.folder / "in" / "notes.txt").write_text("not a mesh")
    arguments = ("encode", "in", "-o", "out", *SMALL, "--jobs", "2")
    entries = cli.lines(*arguments)
    assert {entry["state"] for entry in entries} == {"succeeded"}
    names = {path.relative_to(cli.folder / "out").as_posix() for path in (cli.folder / "out").rglob("*.omage")}
    assert names == {"a-glb.omage", "a-obj.omage", "deep/a.omage"}
    assert {entry["state"] for entry in cli.lines(*arguments)} == {"skipped"}
    (cli.folder / "out" / "deep" / "a.omage").unlink()
    (cli.folder / "in" / "a.obj").write_text("v 0 0 0\nv 2 0 0\nv 0 1 0\nf 1 2 3\n")
    states = {Path(entry["input"]).as_posix(): entry["state"] for entry in cli.lines(*arguments)}
    assert states == {"in/a.glb": "skipped", "in/a.obj": "succeeded", "in/deep/a.glb": "succeeded"}
    assert {entry["state"] for entry in cli.lines(*arguments, "--uv", "unwrap")} == {"succeeded"}
    assert {entry["state"] for entry in cli.lines(*arguments, "--uv", "unwrap", "--again")} == {"succeeded"}
    decoded = cli.lines("decode", "out", "-o", "meshes", "--jobs", "2")
    assert {entry["state"] for entry in decoded} == {"succeeded"}
    assert (cli.folder / "meshes" / "deep" / "a.glb").exists()


def test_sources_of_one_name_become_results_of_different_names(cli: Cli) -> None:
    (cli.folder / "more").mkdir()
    write_glb(cube(), cli.folder / "more" / "Cube.GLB", {})
    (cli.folder / "cube.obj").write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n")
    sources = ("cube.glb", "more/Cube.GLB", "cube.obj")
    entries = cli.lines("encode", *sources, "-o", "out", *SMALL)
    names = {entry["input"]: Path(entry["output"]).name for entry in entries}
    assert names == {
        "cube.glb": "cube-glb.omage",
        "more/Cube.GLB": "Cube-glb-2.omage",
        "cube.obj": "cube-obj.omage",
    }
    assert {entry["state"] for entry in cli.lines("encode", *sources, "-o", "out", *SMALL)} == {"skipped"}


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="finds the worker through Linux's process table")
@pytest.mark.parametrize("victim", ["worker", "owner"])
def test_what_a_killed_process_left_is_made_again_and_tidied(cli: Cli, victim: str, assets: Path) -> None:
    import psutil

    (cli.folder / "in").mkdir()
    (cli.folder / "in" / "big.glb").symlink_to(assets / "meshes" / "koala_mc_880k.glb")
    write_glb(cube(), cli.folder / "in" / "a.glb", {})
    process = cli.start("encode", "in", "-o", "out", "--jobs", "1", "--json", *SMALL)
    assert process.stdout is not None
    process.stdout.readline()  # a.glb is done, so the worker is at big.glb
    owner = psutil.Process(process.pid)
    worker = next(child for child in owner.children() if "resource_tracker" not in " ".join(child.cmdline()))
    left = cli.folder / "out" / f"{part_start('big.omage')}-0.part"
    left.write_bytes(b"half")
    (worker if victim == "worker" else owner).kill()
    out, _ = process.communicate(timeout=60)
    worker.wait(10)
    if victim == "worker":
        assert process.returncode == 1
        assert json.loads(out.splitlines()[-1])["error"]["code"] == "memory"
    (cli.folder / "in" / "big.glb").unlink()
    write_glb(cube(), cli.folder / "in" / "big.glb", {})
    states = {Path(entry["input"]).name: entry["state"] for entry in cli.lines("encode", "in", "-o", "out", *SMALL)}
    assert states == {"a.glb": "skipped", "big.glb": "succeeded"}
    assert not cli.parts()


def test_an_omage_folder_among_others_is_one_source(cli: Cli) -> None:
    cli("encode", "cube.glb", "cube.glb", "-o", "out", "--format", "folder", *SMALL, "--quiet", status=0)
    assert (cli.folder / "out" / "cube" / "geometry.png").exists()
    (entry,) = cli.lines("decode", "out", "-o", "meshes")
    assert Path(entry["output"]).as_posix() == "meshes/cube.glb"


def test_a_file_that_fails_does_not_stop_the_rest(cli: Cli) -> None:
    (cli.folder / "broken.glb").write_bytes(b"glTF but not for long")
    out, err = cli("encode", "broken.glb", "missing.glb", "cube.glb", "-o", "out", *SMALL, status=1)
    assert len(out.splitlines()) == 1
    assert "2 of 3 files failed" in err
    assert "broken.glb" in err and "missing.glb" in err
    assert [path.name for path in (cli.folder / "out").glob("*.omage")] == ["cube.omage"]


def test_json_is_one_object_a_file(cli: Cli) -> None:
    (entry,) = cli.lines("encode", "cube.glb", "-o", "cube.omage", *SMALL, "--measure")
    assert (entry["input"], entry["state"], entry["error"]) == ("cube.glb", "succeeded", None)
    assert entry["result"]["report"]["lost_components"] == 0
    measured = entry["result"]["measured"]
    assert measured["chamfer"] < 1e-3
    assert measured["decoded"]["open_edges"] == measured["source"]["open_edges"] == 0
    (failed,) = cli.lines("encode", "missing.glb", "-o", "cube.omage", status=2)
    assert (failed["state"], failed["output"], failed["error"]["code"]) == ("failed", None, "input")


@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_everything_at_once_and_leaves_nothing_half_written(
    cli: Cli, number: signal.Signals, assets: Path
) -> None:
    process = cli.start("encode", assets / "meshes" / "koala_mc_880k.glb", "-o", "out/koala.omage")
    assert process.stderr is not None
    while "%" not in (line := process.stderr.readline()):
        assert line, "it ended too early"
    begin = time.monotonic()
    process.send_signal(number)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 130, err
    assert time.monotonic() - begin < 5
    assert "Traceback" not in err
    assert not (cli.folder / "out" / "koala.omage").exists()
    assert not cli.parts()


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["encode", "cube.glb", "-o", "x", "--resolution", "31"], "32 to 4096"),
        (["encode", "cube.glb", "-o", "x", "--uv", "maybe"], "invalid choice"),
        (["encode", "cube.glb", "-o", "x", "--jobs", "0"], "1 or more"),
        (["encode", "cube.glb", "cube.glb", "-o", "x.omage"], "one file"),
        (["encode", "cube.glb", "-o", "x.obj"], "cannot be a .obj"),
        (["encode", "cube.glb", "-o", "cube.glb/below/x.omage"], "is a file, not a folder"),
        (["encode", "data-only/..", "-o", "cube.glb"], "is a file, not a folder"),
        (["decode", "missing.omage", "-o", "cube.glb/x.glb"], "is a file, not a folder"),
        (["encode", "missing", "-o", "x"], "missing"),
        (["encode", "data-only", "-o", "x"], "nothing to convert"),
        (["encode", "cube.glb", "-o", "pictures"], "not Omagen's"),
        (["encode", "cube.glb", "-o", "x", "--reference", "--uv", "unwrap"], "cannot unwrap"),
        (["decode", "cube.glb", "-o", "x.obj"], ".obj"),
        (["decode", "cube.glb", "cube.glb", "-o", "x.glb"], "one file"),
        (["decode", "data-only", "-o", "x"], "nothing to convert"),
        (["omage", "info", "missing.omage"], "missing"),
        (["omage", "resize", "cube.glb", "5000", "-o", "x"], "32 to 4096"),
        (["omage"], "usage"),
    ],
)
def test_wrong_usage_is_told(cli: Cli, arguments: list[str], hint: str) -> None:
    (cli.folder / "data-only").mkdir()
    (cli.folder / "pictures").mkdir()
    (cli.folder / "pictures" / "normal.png").write_bytes(b"somebody's")
    _, err = cli(*arguments, status=2)
    assert hint in err
    assert (cli.folder / "pictures" / "normal.png").read_bytes() == b"somebody's"


def test_info_says_what_an_omage_holds(cli_with_omage: Cli) -> None:
    facts = json.loads(cli_with_omage("omage", "info", "cube.omage", "--json")[0])
    assert (facts["resolution"], facts["name"]) == (32, "cube")
    assert facts["size_m"] == pytest.approx([1, 1, 1], rel=1e-3)
    assert {"position", "normal"} <= set(facts["maps"])
    assert facts["seam_pixels"] > 0
    assert "occupancy" in cli_with_omage("omage", "info", "cube.omage")[0]


def test_a_chain_of_levels_is_written_in_one_call(cli: Cli) -> None:
    cli("encode", "cube.glb", "-o", "cube.omage", "--resolution", "128")
    out, _ = cli("omage", "lod", "cube.omage", "-o", "levels", "--coarsest", "32")
    assert [Path(line).name for line in out.split()] == ["cube-128.omage", "cube-64.omage", "cube-32.omage"]
    assert read_omage(cli.folder / "levels" / "cube-32.omage")[0].resolution == 32
    cli("omage", "lod", "cube.omage", "-o", "meshes", "--format", "glb")
    assert sorted(path.name for path in (cli.folder / "meshes").iterdir()) == ["cube-128.glb", "cube-64.glb"]
    assert all(len(read_mesh(path)[0].faces) for path in (cli.folder / "meshes").iterdir())


def test_levels_are_not_written_where_a_file_is(cli_with_omage: Cli) -> None:
    for arguments in (["lod", "cube.omage", "-o", "cube.glb"], ["resize", "cube.omage", "64", "-o", "cube.omage"]):
        _, err = cli_with_omage("omage", *arguments, status=2)
        assert "is a file, not a folder" in err or "is an input too" in err


def test_an_omage_is_resized(cli_with_omage: Cli) -> None:
    cli_with_omage("omage", "resize", "cube.omage", "64", "-o", "larger")
    assert read_omage(cli_with_omage.folder / "larger")[0].resolution == 64


def test_diff_tells_equal_from_different(cli_with_omage: Cli) -> None:
    assert "the same" in cli_with_omage("omage", "diff", "cube.omage", "cube.omage")[0]
    cli_with_omage("encode", "cube.glb", "-o", "other", "--resolution", "64")
    out, _ = cli_with_omage("omage", "diff", "cube.omage", "other", status=1)
    assert "32 and 64" in out
    found = json.loads(cli_with_omage("omage", "diff", "cube.omage", "other", "--json", status=1)[0])
    assert found["differs"] and found["surface"]["chamfer"] < 1e-2


def test_the_published_rules_are_there_for_comparison(cli: Cli) -> None:
    cli("encode", "cube.glb", "-o", "cube.npz", "--reference", "--resolution", "64")
    with np.load(cli.folder / "cube.npz") as file:
        assert (file["arr_0"].shape, file["arr_0"].dtype) == ((64, 64, 12), np.dtype(np.uint16))
    cli("decode", "cube.npz", "-o", "cube-back.glb", "--reference")
    assert len(read_mesh(cli.folder / "cube-back.glb")[0].faces)
