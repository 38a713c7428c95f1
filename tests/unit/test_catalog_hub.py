"""Repositories of the hub are fetched from a local stand-in; only data that the hub vouches for is accepted."""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("huggingface_hub", reason="huggingface_hub is not installed (extra `networks`)")

from fake_hub import REPOSITORY, REVISION, FakeHub, fake_hub
from omagen.catalog import MODELS, Downloads, HubModel, ModelState, find, model_path
from omagen.catalog import installed as installed_module
from omagen.cli import main
from omagen.protocol import ErrorCode, OmagenError

WEIGHTS = random.Random(2).randbytes(2_000_000)
FILES = {
    "model_index.json": b"{}",
    "unet/config.json": b'{"a": 1}',
    "unet/weights.safetensors": WEIGHTS,
    "unet/weights.bin": b"pickle",
    "tokenizer/merges.txt": b"",
    "tokenizer/setup.py": b"code",
    "README.md": b"words",
}
MODEL = HubModel(
    "tiny", "Tiny", "", REPOSITORY, REVISION, ("model_index.json", "unet/*", "tokenizer/*"), 2_000_010, "MIT", True, ""
)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    with fake_hub(FILES) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.address)
        monkeypatch.setattr("omagen.catalog.fetch.time.sleep", lambda seconds: None)
        yield hub


def _names(folder: Path) -> set[str]:
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}


def _end(downloads: Downloads) -> tuple[ModelState, OmagenError | None]:
    downloads.start("tiny")
    status = downloads.wait("tiny", 30)
    return status.state, status.error


def test_what_is_needed_is_fetched_verified_and_recorded_and_no_pickle_or_code(hub: FakeHub, tmp_path: Path) -> None:
    downloads = Downloads(tmp_path, [MODEL])
    assert _end(downloads) == (ModelState.INSTALLED, None)
    folder = model_path(tmp_path, MODEL)
    assert _names(folder) == {
        "model_index.json",
        "unet/config.json",
        "unet/weights.safetensors",
        "tokenizer/merges.txt",
    }
    assert (folder / "unet/weights.safetensors").read_bytes() == WEIGHTS
    assert downloads.status("tiny").to_json()["revision"] == REVISION
    asked = len(hub.tokens)
    downloads.start("tiny")
    assert len(hub.tokens) == asked, "what is here is not fetched again"
    (folder / "unet/config.json").unlink()
    assert downloads.status("tiny").state is ModelState.ABSENT


def test_a_broken_connection_goes_on_where_it_stopped(hub: FakeHub, tmp_path: Path) -> None:
    hub.send = lambda handler, name, content, start: handler.wfile.write(content[start : start + 900_000])
    assert _end(Downloads(tmp_path, [MODEL])) == (ModelState.INSTALLED, None)
    ranges = [asked for name, asked in hub.fetched if name.endswith(".safetensors")]
    assert ranges == [None, "bytes=900000-", "bytes=1800000-"]


def test_another_program_goes_on_with_what_is_there_and_checks_it(hub: FakeHub, tmp_path: Path) -> None:
    folder = model_path(tmp_path, MODEL)
    (folder / "unet").mkdir(parents=True)
    (folder / "unet/config.json").write_bytes(FILES["unet/config.json"])
    (folder / "model_index.json").write_bytes(b"[]")
    (folder / "unet/weights.safetensors.part").write_bytes(WEIGHTS[:1_000_000])
    downloads = Downloads(tmp_path, [MODEL])
    assert 0.4 < downloads.status("tiny").progress < 0.6
    assert _end(downloads) == (ModelState.INSTALLED, None)
    assert ("unet/config.json", None) not in hub.fetched
    assert ("unet/weights.safetensors", "bytes=1000000-") in hub.fetched
    assert (folder / "model_index.json").read_bytes() == b"{}", "what has the size but not the hash is fetched"


@pytest.mark.parametrize("name", ["unet/weights.safetensors", "unet/config.json"])
def test_what_has_not_the_stated_hash_is_refused_and_removed(hub: FakeHub, tmp_path: Path, name: str) -> None:
    def flip(handler, sent: str, content: bytes, start: int) -> None:
        handler.wfile.write((b"x" + content[1:])[start:] if sent == name else content[start:])

    hub.send = flip
    state, error = _end(Downloads(tmp_path, [MODEL]))
    assert state is ModelState.FAILED
    assert error is not None
    assert (error.code, name in error.message) == (ErrorCode.MODEL, True)
    assert not (model_path(tmp_path, MODEL) / name).exists()


def test_a_download_is_cancelled_within_a_file_and_what_came_is_removed(hub: FakeHub, tmp_path: Path) -> None:
    def slow(handler, name: str, content: bytes, start: int) -> None:
        try:
            for at in range(start, len(content), 20_000):
                handler.wfile.write(content[at : at + 20_000])
                end = time.monotonic() + 0.02
                while time.monotonic() < end:
                    pass
        except ConnectionError:
            pass

    hub.send = slow
    downloads = Downloads(tmp_path, [MODEL])
    downloads.start("tiny")
    end = time.monotonic() + 20
    while downloads.status("tiny").progress < 0.3:
        assert time.monotonic() < end
    downloads.delete("tiny")
    assert downloads.status("tiny").state is ModelState.ABSENT
    downloads.wait("tiny", 10)
    assert not model_path(tmp_path, MODEL).exists()


def test_a_full_disk_is_told_before_anything_large_is_fetched(
    hub: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Usage:
        free = 1_000_000

    monkeypatch.setattr("omagen.catalog.fetch.shutil.disk_usage", lambda path: Usage)
    state, error = _end(Downloads(tmp_path, [MODEL]))
    assert state is ModelState.FAILED
    assert error is not None
    assert "space" in error.message
    assert hub.fetched == []


def test_the_token_goes_to_the_hub_and_not_to_the_store_it_redirects_to(
    hub: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    assert _end(Downloads(tmp_path, [MODEL])) == (ModelState.INSTALLED, None)
    assert ("someone", "Bearer hf_secret") in hub.tokens
    assert {token for word, token in hub.tokens if word == "store"} == {None}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda hub: setattr(hub, "revision", "f" * 40), "commit"),
        (lambda hub: hub.files.pop("model_index.json"), "model_index.json"),
    ],
    ids=["other commit", "file gone"],
)
def test_a_repository_that_has_changed_is_refused(
    hub: FakeHub, tmp_path: Path, change: Callable[[FakeHub], object], words: str
) -> None:
    change(hub)
    _, error = _end(Downloads(tmp_path, [MODEL]))
    assert error is not None
    assert (error.code, words in error.message) == (ErrorCode.MODEL, True)
    assert hub.fetched == []


@pytest.mark.parametrize("name", ["unet/../../out.json", "unet/..\\out.json", "/out.json", "unet/c:out.json"])
def test_names_that_leave_the_folder_are_not_fetched(hub: FakeHub, tmp_path: Path, name: str) -> None:
    hub.files[name] = b"{}"
    wide = replace(MODEL, files=("*",))
    assert _end(Downloads(tmp_path, [wide])) == (ModelState.INSTALLED, None)
    assert name not in [fetched for fetched, _ in hub.fetched]


def test_a_repository_that_is_not_there_and_no_connection_are_told(hub: FakeHub, tmp_path: Path) -> None:
    gone = replace(MODEL, repository="someone/gone")
    state, error = _end(Downloads(tmp_path, [gone]))
    assert state is ModelState.FAILED
    assert error is not None
    assert "someone/gone" in error.message
    hub.shutdown()
    hub.server_close()
    state, error = _end(Downloads(tmp_path, [MODEL]))
    assert error is not None
    assert (error.code, "reached" in error.message) == (ErrorCode.ENVIRONMENT, True)


def test_working_offline_is_honoured(hub: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    _, error = _end(Downloads(tmp_path, [MODEL]))
    assert error is not None
    assert "HF_HUB_OFFLINE" in error.message
    assert hub.tokens == []


def test_without_the_hubs_library_it_is_said_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    downloads = Downloads(tmp_path, [MODEL])
    assert downloads.status("tiny").state is ModelState.ABSENT
    _, error = _end(downloads)
    assert error is not None
    assert "networks" in error.remedy


def test_a_folder_of_the_users_stands_in_and_is_never_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, own = tmp_path / "data", tmp_path / "own"
    monkeypatch.setenv("OMAGEN_DATA", str(data))
    monkeypatch.setattr(installed_module, "MODELS", (MODEL,))
    (own / "unet").mkdir(parents=True)
    downloads = Downloads(data, [MODEL])
    with pytest.raises(OmagenError, match="safetensors"):
        downloads.use("tiny", own)
    (own / "unet/weights.safetensors").write_bytes(b"mine")
    assert downloads.use("tiny", own).state is ModelState.INSTALLED
    assert downloads.status("tiny").to_json()["folder"] == str(own)
    assert find("tiny") == own
    downloads.delete("tiny")
    assert find("tiny") is None
    assert (own / "unet/weights.safetensors").read_bytes() == b"mine"


def test_the_command_line_lists_and_names_folders(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = tmp_path / "own"
    own.mkdir()
    (own / "a.safetensors").write_bytes(b"")
    options = ["--data", str(tmp_path / "data")]
    assert main(["models", *options, "use", "stable-diffusion-1.5", str(own)]) == 0
    assert main(["models", *options]) == 0
    listed = capsys.readouterr().out
    assert "CreativeML-OpenRAIL-M" in listed
    assert str(own) in listed
    assert main(["models", *options, "use", "u2net", str(own)]) == 2


@pytest.mark.parametrize("model", [m for m in MODELS if isinstance(m, HubModel)], ids=lambda model: model.id)
def test_entries_pin_a_commit_or_say_that_they_do_not(model: HubModel) -> None:
    pinned = len(model.revision) == 40 and set(model.revision) <= set("0123456789abcdef")
    assert pinned or (not model.revision and "unverified" in model.description)
    assert not any(pattern.endswith((".bin", ".ckpt", ".pt", ".pth")) for pattern in model.files)
