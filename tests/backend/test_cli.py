"""The command `omagen` as a user or a script meets it: a process with arguments, output, and an exit status."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import fake_engines
import pytest
from omagen.io.meshes import read_mesh
from server_process import running_server

HEAVY = {"numpy", "scipy", "cv2", "torch", "fastapi", "pydantic", "uvicorn", "PIL", "tqdm", "multiprocessing"}
QUICK = [
    ["--help"],
    ["generate", "--help"],
    ["engines"],
    ["engines", "fake"],
    ["jobs"],
    ["jobs", "--json"],
    ["models"],
    ["doctor"],
]
FAKE = ["generate", "--engine", "fake"]


class Cli:
    """Runs `omagen` in a folder of its own with a data folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.environment = {
            **os.environ,
            **fake_engines.ENVIRONMENT,
            "OMAGEN_DATA": str(self.data),
            "HOME": str(folder),
        }

    def start(self, *arguments: str | Path) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "omagen", *map(str, arguments)]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, cwd=self.folder, env=self.environment)

    def __call__(self, *arguments: str | Path, status: int = 0) -> tuple[str, str]:
        """Standard output and standard error of a run that ends with `status`."""
        process = self.start(*arguments)
        out, err = process.communicate(timeout=120)
        assert process.returncode == status, out + err
        assert "Traceback" not in out + err
        return out, err

    def jobs(self) -> list[dict]:
        return json.loads(self("jobs", "--json")[0])["jobs"]


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    (tmp_path / "photo.jpg").write_bytes(b"a picture, as far as the fake engine is concerned")
    return Cli(tmp_path)


def test_a_file_becomes_a_file(cli: Cli) -> None:
    out, err = cli(*FAKE, "photo.jpg", "-o", "objects/out.glb", "--seed", "3", "--set", "behaviour=warn")
    assert out.startswith("objects/out.glb: 4 triangles")
    assert "warning: The cut-out is approximate." in err
    assert (cli.folder / "objects/out.glb").read_bytes()[:4] == b"glTF"
    assert not list((cli.folder / "objects").glob(".*"))
    (job,) = cli.jobs()
    assert (job["request"]["seed"], job["request"]["name"]) == (3, "photo")


def test_without_an_output_the_result_is_named_after_the_input(cli: Cli) -> None:
    cli(*FAKE, "photo.jpg")
    assert (cli.folder / "photo.glb").exists()


def test_a_cut_out_does_not_overwrite_its_picture(cli: Cli) -> None:
    (cli.folder / "photo.png").write_bytes(b"original")
    cli("generate", "--engine", "fake-picture", "photo.png")
    assert (cli.folder / "photo.png").read_bytes() == b"original"
    assert (cli.folder / "photo-2.png").read_bytes()[1:4] == b"PNG"
    _, err = cli("generate", "--engine", "fake-picture", "photo.png", "-o", "photo.png", status=2)
    assert "is an input too" in err


def test_of_several_files_all_are_tried_and_failures_come_last(cli: Cli) -> None:
    (cli.folder / "b").mkdir()
    (cli.folder / "b" / "photo.jpg").write_bytes(b"another")
    out, err = cli(*FAKE, "photo.jpg", "missing.jpg", "b/photo.jpg", "-o", "out/", status=1)
    assert sorted(path.name for path in (cli.folder / "out").iterdir()) == ["photo-2.glb", "photo.glb"]
    assert len(out.splitlines()) == 2
    assert "1 of 3 files failed" in err
    assert "missing.jpg" in err.splitlines()[-1]


def test_json_output_is_one_object_a_file_and_nothing_else(cli: Cli) -> None:
    out, _ = cli(*FAKE, "photo.jpg", "missing.jpg", "-o", "out", "--json", "--quiet", status=1)
    done, failed = map(json.loads, out.splitlines())
    assert (done["state"], done["input"], done["error"]) == ("succeeded", "photo.jpg", None)
    assert Path(done["output"]).name == "photo.glb"
    assert done["result"]["report"]["triangles"] == 4
    assert (failed["output"], failed["job"], failed["error"]["code"]) == (None, None, "input")


def test_quiet_says_nothing(cli: Cli) -> None:
    assert cli(*FAKE, "photo.jpg", "--quiet", "--set", "behaviour=warn") == ("", "")


@pytest.mark.parametrize("behaviour", ["raise", "refuse", "exit"])
def test_a_failed_job_is_told_with_what_to_do(cli: Cli, behaviour: str) -> None:
    out, err = cli(*FAKE, "photo.jpg", "--quiet", "--set", f"behaviour={behaviour}", status=1)
    assert out == ""
    error, remedy = err.splitlines()
    assert error.startswith("error: ")
    assert remedy.startswith("       ")
    assert not (cli.folder / "photo.glb").exists()


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["photo.jpg", "--engine", "nothing"], "no engine"),
        (["photo.jpg", "--engine", "broken"], "cannot run"),
        (["missing.jpg", "--engine", "fake"], "missing.jpg"),
        ([".", "--engine", "fake"], "cannot be read"),
        (["photo.jpg", "--engine", "fake", "--set", "nothing=1"], "no parameter"),
        (["photo.jpg", "--engine", "fake", "--set", "seconds"], "NAME=VALUE"),
        (["photo.jpg", "--engine", "fake", "--set", "seconds=long"], "Seconds"),
        (["photo.jpg", "--engine", "fake", "--set", "megabytes=1.5"], "Megabytes"),
        (["photo.jpg", "--engine", "fake", "--set", "shiny=perhaps"], "Shiny"),
        (["photo.jpg", "--engine", "fake", "--set", "behaviour=dance"], "one of"),
        (["photo.jpg", "--engine", "fake", "--mask", "photo.jpg"], "mask"),
        (["photo.jpg", "--engine", "fake", "--seed", "-1"], "seed"),
        (["photo.jpg", "--engine", "fake", "--device", "abacus"], "no device"),
        (["photo.jpg", "--engine", "fake", "-o", "out.obj"], ".obj"),
        (["photo.jpg", "photo.jpg", "--engine", "fake", "-o", "photo.jpg"], "folder"),
    ],
)
def test_wrong_usage_is_told_and_starts_no_job(cli: Cli, arguments: list[str], hint: str) -> None:
    _, err = cli("generate", *arguments, status=2)
    assert hint in err
    assert not cli.jobs()


def test_settings_are_given_in_the_parameters_types(cli: Cli) -> None:
    cli(
        *FAKE,
        "photo.jpg",
        "--set",
        "shiny=yes",
        "--set",
        "seconds=0.01",
        "--set",
        "megabytes=2",
        "--set",
        "behaviour = sleep",
    )
    assert cli.jobs()[0]["request"]["parameters"] == {
        "shiny": True,
        "seconds": 0.01,
        "megabytes": 2,
        "behaviour": "sleep",
    }


@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("behaviour", ["sleep", "stubborn"])
def test_ctrl_c_cancels_the_job(cli: Cli, number: signal.Signals, behaviour: str) -> None:
    process = cli.start(*FAKE, "photo.jpg", "--set", f"behaviour={behaviour}", "--set", "seconds=60")
    assert process.stderr is not None
    while "starting" not in (line := process.stderr.readline()):
        assert line, "it ended too early"
    time.sleep(0.3)
    begin = time.monotonic()
    process.send_signal(number)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 130, err
    assert time.monotonic() - begin < 5
    assert "Traceback" not in err
    assert [job["state"] for job in cli.jobs()] == ["cancelled"]
    assert not (cli.folder / "photo.glb").exists()


def test_an_output_that_cannot_be_written_does_not_lose_the_result(cli: Cli) -> None:
    (cli.folder / "file").write_text("in the way")
    _, err = cli(*FAKE, "photo.jpg", "-o", "file/out.glb", status=1)
    assert "omagen jobs export" in err
    cli("jobs", "export", cli.jobs()[0]["id"], "-o", "saved.glb")
    assert (cli.folder / "saved.glb").read_bytes()[:4] == b"glTF"


def test_a_mesh_brings_the_files_beside_it_along(cli: Cli, assets: Path) -> None:
    cli("generate", assets / "meshes" / "spot_obj" / "spot.obj", "-o", "spot.glb")
    mesh, warnings = read_mesh(cli.folder / "spot.glb")
    assert warnings == ()
    texture = mesh.materials[0].base_color_texture
    assert texture is not None and texture.pixels.shape[:2] == (1024, 1024)


def test_jobs_can_be_listed_shown_exported_and_deleted(cli: Cli) -> None:
    assert "No jobs" in cli("jobs")[0]
    cli(*FAKE, "photo.jpg", "--name", "chair")
    cli(*FAKE, "photo.jpg", "--set", "behaviour=refuse", status=1)
    failed, done = cli.jobs()
    listing, _ = cli("jobs", "list", "--limit", "5")
    assert [line.split()[0] for line in listing.splitlines()] == [failed["id"], done["id"]]
    assert "The object has no surface." in listing
    shown, _ = cli("jobs", "show", done["id"][:6])
    assert "object.glb" in shown
    assert json.loads(cli("jobs", "show", done["id"], "--json")[0])["request"]["name"] == "chair"
    _, err = cli("jobs", "export", failed["id"], "-o", "x.glb", status=2)
    assert "no result" in err
    _, err = cli("jobs", "show", "nothing", status=2)
    assert "no job" in err
    cli("jobs", "delete", failed["id"], done["id"])
    assert cli.jobs() == []
    cli("jobs", "delete", "nothing", status=1)


def test_generating_beside_a_running_server_disturbs_neither(cli: Cli) -> None:
    with running_server(cli.data) as server:
        id = server.submit("sleep", seconds=4)
        cli(*FAKE, "photo.jpg")
        assert server.wait(id)["state"] == "succeeded"
        assert len(server.ask("GET", "/v1/jobs").json["jobs"]) == 2
        doctor = json.loads(cli("doctor", "--json", status=1)[0])
        assert doctor["server"]["pid"] == server.process.pid


def test_engines_are_described_with_their_ranges(cli: Cli) -> None:
    text, _ = cli("engines", "fake")
    assert "a number from 0 to 600" in text
    assert "Settings, surface" in text
    listing, _ = cli("engines")
    assert "third-party code failed" in listing
    engines = json.loads(cli("engines", "--json")[0])["engines"]
    assert json.loads(cli("engines", "fake", "--json")[0]) in engines


def test_doctor_says_nothing_private(cli: Cli) -> None:
    out, _ = cli("doctor", status=1)  # the fake engines include broken ones
    assert "problem: The engine broken cannot run" in out
    assert str(cli.folder) not in out
    assert "~/data" in out
    facts = json.loads(cli("doctor", "--json", status=1)[0])
    assert facts["engines"]["fake"] == ""
    assert str(cli.folder) not in json.dumps(facts)


@pytest.mark.parametrize("arguments", [[], ["dance"], ["generate"], ["serve", "--port", "70000"], ["jobs", "show"]])
def test_usage_errors_end_with_status_2(cli: Cli, arguments: list[str]) -> None:
    _, err = cli(*arguments, status=2)
    assert "usage: omagen" in err


@pytest.mark.parametrize("arguments", QUICK, ids=" ".join)
def test_commands_that_need_nothing_heavy_import_nothing_heavy(cli: Cli, arguments: list[str]) -> None:
    code = f"""
import contextlib, sys
from omagen.cli import main
with contextlib.suppress(SystemExit):
    main({arguments!r})
sys.stderr.write("heavy: " + " ".join(sorted({HEAVY!r} & set(sys.modules))))
"""
    run = subprocess.run([sys.executable, "-c", code], env=cli.environment, capture_output=True, text=True, check=True)
    heavy = set(run.stderr.split("heavy:")[1].split())
    # The fake engines are test code and import numpy at their top; real engines are checked without them.
    assert heavy <= {"numpy"}


def test_our_own_engines_are_described_without_numpy(cli: Cli) -> None:
    environment = {name: value for name, value in cli.environment.items() if name != "OMAGEN_ENGINES"}
    code = "import sys; from omagen.cli import main; main(['engines']); sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True).returncode == 0


def test_whoever_stops_reading_gets_no_traceback(cli: Cli) -> None:
    process = cli.start("engines", "--json")
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == ""
    assert process.wait(30) == 1
    process.stderr.close()
