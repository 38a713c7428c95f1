"""Repositories of the Hugging Face hub: what they hold at a commit, and the part of it that a model needs.

`huggingface_hub` speaks to the hub (address or mirror in HF_ENDPOINT, the user's token, HF_HUB_OFFLINE); the bytes come
through `fetch`, which resumes, can be broken off within a chunk and checks the hash of every file, which the library
does not do.
"""

from __future__ import annotations

import os
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

from omagen.catalog.fetch import OnProgress, check_space, fetch, part_path
from omagen.catalog.installed import Record, snapshot_folder
from omagen.catalog.models import HubModel
from omagen.catalog.remote_file import RemoteFile
from omagen.protocol import ErrorCode, OmagenError

if TYPE_CHECKING:
    from huggingface_hub.hf_api import RepoSibling

_SUFFIXES: Final = frozenset({".safetensors", ".json", ".txt", ".model"})
"""Weights, configurations, words and tokenizers. Nothing that runs code when it is read."""
_TIMEOUT_S: Final = 20.0


def fetch_repository(model: HubModel, place: Path, on_progress: OnProgress) -> None:
    """Bring the files of `model` into the snapshot folder of its `place` and record them there.

    Goes on where it was broken off; what is there already is verified, not fetched. Raises `OmagenError`.
    """
    revision, files = _published(model)
    folder = snapshot_folder(place)
    folder.mkdir(parents=True, exist_ok=True)
    missing = [(remote, path) for remote in files if not remote.is_at(path := _place(folder, remote))]
    check_space(model.title, sum(remote.size - _size(part_path(path)) for remote, path in missing), folder)
    before = sum(remote.size for remote in files) - sum(remote.size for remote, _ in missing)
    on_progress(before)
    for remote, path in missing:
        fetch(remote, path, lambda have, before=before: on_progress(before + have))
        before += remote.size
    record = Record(model.repository, revision, {remote.name: (remote.size, remote.digest) for remote in files})
    record.write(place)


def _published(model: HubModel) -> tuple[str, list[RemoteFile]]:
    """The commit that the hub has for `model`, and the files of it that are needed."""
    try:
        import huggingface_hub
        from huggingface_hub.errors import HfHubHTTPError, HFValidationError, OfflineModeIsEnabled
    except ImportError as error:
        raise OmagenError(
            ErrorCode.ENVIRONMENT,
            f"{model.title} comes from the Hugging Face hub, and huggingface_hub is not installed.",
            "Install the backend with its extra `networks`: pip install 'omagen[networks]'.",
        ) from error
    endpoint = os.environ.get("HF_ENDPOINT") or huggingface_hub.constants.ENDPOINT
    api = huggingface_hub.HfApi(endpoint=endpoint, library_name="omagen")
    try:
        info = api.model_info(
            model.repository, revision=model.revision or None, files_metadata=True, timeout=_TIMEOUT_S
        )
    except OfflineModeIsEnabled as error:
        raise OmagenError(
            ErrorCode.ENVIRONMENT,
            f"{model.title} was not fetched: HF_HUB_OFFLINE forbids the hub.",
            f"Unset it, or name a folder that has the files: omagen models use {model.id} FOLDER.",
        ) from error
    except (HfHubHTTPError, HFValidationError) as error:
        response = getattr(error, "response", None)
        answer = f"answered with status {response.status_code}" if response is not None else "cannot be asked"
        raise OmagenError(
            ErrorCode.ENVIRONMENT,
            f"The hub {answer} for {model.repository} at {model.revision or 'its newest commit'}.",
            "Try again later. A repository behind a licence must be accepted on its page, and needs `hf auth login`.",
        ) from error
    except Exception as error:  # the errors of its HTTP library, which changed between releases
        raise OmagenError(
            ErrorCode.ENVIRONMENT,
            f"The hub at {endpoint} could not be reached for {model.title}: {error}.",
            "Check the connection and download again: it goes on where it stopped.",
        ) from error
    revision = info.sha or model.revision
    if model.revision and revision != model.revision:
        raise OmagenError(
            ErrorCode.MODEL,
            f"The hub gives commit {revision} of {model.repository}, not {model.revision}.",
            "Nothing was fetched. If a mirror is set in HF_ENDPOINT, try without it.",
        )
    token = huggingface_hub.utils.build_hf_headers().get("authorization")
    headers = {"Authorization": token} if token else {}
    files = []
    for sibling in _needed(model, info.siblings or []):
        url = huggingface_hub.hf_hub_url(model.repository, sibling.rfilename, revision=revision, endpoint=endpoint)
        files.append(_remote(model, sibling, url, headers))
    return revision, files


def _needed(model: HubModel, siblings: list[RepoSibling]) -> list[RepoSibling]:
    found: dict[str, RepoSibling] = {}
    for pattern in model.files:
        fitting = [s for s in siblings if fnmatchcase(s.rfilename, pattern) and _is_safe(s.rfilename)]
        if not fitting:
            raise OmagenError(
                ErrorCode.MODEL,
                f"{model.repository} has no file {pattern} at {model.revision or 'its newest commit'}.",
                "Report it: the repository or Omagen's catalogue has changed.",
            )
        found.update((s.rfilename, s) for s in fitting)
    return [found[name] for name in sorted(found)]


def _is_safe(name: str) -> bool:
    """Whether a path that the hub names stays in its folder and holds data only."""
    path = PurePosixPath(name)
    clean = not path.is_absolute() and ".." not in path.parts and not set(name) & set('\\:*?"<>|\0')
    return clean and path.suffix in _SUFFIXES


def _remote(model: HubModel, sibling: RepoSibling, url: str, headers: dict[str, str]) -> RemoteFile:
    name, lfs = sibling.rfilename, sibling.lfs
    if lfs is not None:
        return RemoteFile(model.title, name, url, lfs.size, "sha256", lfs.sha256, headers)
    if sibling.size is None or sibling.blob_id is None:
        raise OmagenError(
            ErrorCode.MODEL, f"The hub states no hash for {name} of {model.repository}.", "Nothing was fetched."
        )
    return RemoteFile(model.title, name, url, sibling.size, "git", sibling.blob_id, headers)


def _place(folder: Path, remote: RemoteFile) -> Path:
    return folder.joinpath(*PurePosixPath(remote.name).parts)


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0
