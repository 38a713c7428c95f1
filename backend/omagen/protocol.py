"""What the add-on, the command line and the backend say to each other: requests, jobs, engine descriptions, errors.

Standard library only, because Blender's Python imports this module too. Every class is frozen and turns into plain JSON
and back. Reading JSON is strict: whatever does not fit raises an `OmagenError` of code `input` naming the field.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

PROTOCOL_VERSION: Final = 1
STATE_FILE: Final = "server.json"
"""The file in the data folder through which a running server is found: a `ServerState`, readable by its owner only."""

Json = dict[str, Any]
Value = bool | int | float | str
SEED_LIMIT: Final = 2**31


class ErrorCode(StrEnum):
    """What kind of thing went wrong; the message and the remedy carry the rest."""

    INPUT = "input"
    MODEL = "model"
    MEMORY = "memory"
    GEOMETRY = "geometry"
    ENVIRONMENT = "environment"
    CANCELLED = "cancelled"


class OmagenError(Exception):
    """An error meant for the user: what happened (`message`) and what to do (`remedy`). Crosses HTTP unchanged."""

    def __init__(self, code: ErrorCode | str, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.code = ErrorCode(code)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".strip()

    def __reduce__(self) -> tuple[Any, ...]:
        return (OmagenError, (self.code, self.message, self.remedy))

    def to_json(self) -> Json:
        return {"code": self.code.value, "message": self.message, "remedy": self.remedy}

    @classmethod
    def from_json(cls, data: Any) -> OmagenError:
        if not isinstance(data, dict) or data.get("code") not in set(ErrorCode):
            return cls(ErrorCode.ENVIRONMENT, f"The backend answered with an unreadable error: {str(data)[:200]}")
        return cls(data["code"], str(data.get("message", "")), str(data.get("remedy", "")))


class JobState(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    CANCELLING = "cancelling"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"
    """The process that ran the job is gone. The request is kept, so the job can be offered again."""

    @property
    def ended(self) -> bool:
        return not TRANSITIONS[self]


TRANSITIONS: Final[Mapping[JobState, frozenset[JobState]]] = {
    JobState.QUEUED: frozenset({JobState.RUNNING, JobState.CANCELLED, JobState.FAILED, JobState.INTERRUPTED}),
    JobState.RUNNING: frozenset({JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLING, JobState.INTERRUPTED}),
    JobState.CANCELLING: frozenset({JobState.CANCELLED, JobState.INTERRUPTED}),
    JobState.SUCCEEDED: frozenset(),
    JobState.FAILED: frozenset(),
    JobState.CANCELLED: frozenset(),
    JobState.INTERRUPTED: frozenset(),
}
"""Every legal change of state. A state that leads nowhere is an end."""


class InputKind(StrEnum):
    IMAGE = "image"
    MASK = "mask"
    MESH = "mesh"
    OMAGE = "omage"
    TEXT = "text"
    CATEGORY = "category"

    @property
    def is_file(self) -> bool:
        """True where the request holds the id of an uploaded blob, False where it holds the words themselves."""
        return self not in {InputKind.TEXT, InputKind.CATEGORY}


@dataclass(frozen=True)
class InputSpec:
    """One thing that an engine takes, e.g. the picture. `id` is its key in `Request.inputs`."""

    id: str
    kind: InputKind
    title: str
    description: str = ""
    required: bool = True
    group: str = ""
    """Heading under which a user interface shows it, as of parameters."""
    is_shown: bool = True
    """False for what only other parts of the add-on and scripts have to give."""


class ParameterKind(StrEnum):
    INT = "int"
    FLOAT = "float"
    BOOL = "bool"
    CHOICE = "choice"


@dataclass(frozen=True)
class Choice:
    id: str
    title: str
    description: str = ""


@dataclass(frozen=True)
class Parameter:
    """One setting of an engine, complete enough for a user interface to draw it. Ranges are inclusive."""

    id: str
    kind: ParameterKind
    title: str
    default: Value
    description: str = ""
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[Choice, ...] = ()
    group: str = ""
    """Heading under which a user interface shows it; empty for the few that are always visible."""

    def check(self, value: Any) -> Value:
        """`value` in the parameter's own type; raises `OmagenError` (input) if it does not fit."""
        kind = self.kind
        if kind is ParameterKind.BOOL and isinstance(value, bool):
            return value
        if kind is ParameterKind.CHOICE and any(value == choice.id for choice in self.choices):
            return value
        number = isinstance(value, int | float) and not isinstance(value, bool)
        # The bound keeps out infinity, NaN (which compares false) and integers that no float can hold.
        if number and kind in {ParameterKind.INT, ParameterKind.FLOAT} and abs(value) < 1e300:
            low = -float("inf") if self.minimum is None else self.minimum
            high = float("inf") if self.maximum is None else self.maximum
            if low <= value <= high and (kind is ParameterKind.FLOAT or int(value) == value):
                return int(value) if kind is ParameterKind.INT else float(value)
        raise OmagenError(
            ErrorCode.INPUT, f"{self.title} ({self.id}) cannot be {value!r}.", f"It takes {self.allowed}."
        )

    @property
    def allowed(self) -> str:
        """The accepted values in words, for messages and help texts."""
        if self.kind is ParameterKind.BOOL:
            return "true or false"
        if self.kind is ParameterKind.CHOICE:
            return "one of " + ", ".join(choice.id for choice in self.choices)
        word = "a whole number" if self.kind is ParameterKind.INT else "a number"
        if self.minimum is not None and self.maximum is not None:
            return f"{word} from {self.minimum:g} to {self.maximum:g}"
        return word


@dataclass(frozen=True)
class EngineInfo:
    """All that a user interface needs to offer an engine; `engine.describe()` returns it without loading anything."""

    id: str
    title: str
    description: str
    inputs: tuple[InputSpec, ...]
    parameters: tuple[Parameter, ...] = ()
    produces: str = "mesh"
    """`mesh` for an object that can be imported, `picture` for an image (e.g. a cut-out), `omage` for an omage,
    `report` for nothing but words and numbers about the input."""
    licence: str = "GPL-3.0-or-later"
    memory_mb: int = 0
    """Peak memory of the worker process at default settings, as measured, rounded up."""
    uses_seed: bool = True
    works_on_selection: bool = False
    """Its input `mesh` is what the user has selected: it is offered for existing objects, not for making new ones."""
    uses_region: bool = False
    """It leaves alone what `Mesh.region` excludes."""
    problem: str = ""
    """Why the engine cannot run here, with what to do; empty when it can."""

    def parameter(self, id: str) -> Parameter:
        for parameter in self.parameters:
            if parameter.id == id:
                return parameter
        known = ", ".join(p.id for p in self.parameters) or "none"
        raise OmagenError(
            ErrorCode.INPUT, f"The engine {self.id!r} has no parameter {id!r}.", f"Its parameters: {known}."
        )

    def to_json(self) -> Json:
        return asdict(self)

    @classmethod
    def from_json(cls, data: Any) -> EngineInfo:
        fields = dict(_mapping(data, "engine"))
        fields["inputs"] = tuple(InputSpec(**{**i, "kind": InputKind(i["kind"])}) for i in fields["inputs"])
        fields["parameters"] = tuple(
            Parameter(**{**p, "kind": ParameterKind(p["kind"]), "choices": tuple(Choice(**c) for c in p["choices"])})
            for p in fields["parameters"]
        )
        return cls(**fields)


@dataclass(frozen=True)
class Request:
    """All that can change a result; saved beside it. Same request, same device, same weights: same result."""

    engine: str
    inputs: Mapping[str, str] = field(default_factory=dict)
    """Input id -> blob id for files (see `InputKind.is_file`), else the words themselves."""
    parameters: Mapping[str, Value] = field(default_factory=dict)
    seed: int = 0
    device: str = "auto"
    """`auto`, `cpu`, `cuda`, `cuda:1`, `mps`."""
    name: str = ""
    """What the object will be called."""

    def to_json(self) -> Json:
        return asdict(self)

    @classmethod
    def from_json(cls, data: Any) -> Request:
        data = _mapping(data, "request")
        unknown = set(data) - {"engine", "inputs", "parameters", "seed", "device", "name"}
        if unknown:
            raise OmagenError(
                ErrorCode.INPUT, f"The request has unknown fields: {', '.join(sorted(map(str, unknown)))}."
            )
        inputs = _mapping(data.get("inputs", {}), "inputs")
        parameters = _mapping(data.get("parameters", {}), "parameters")
        seed = data.get("seed", 0)
        if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < SEED_LIMIT:
            raise OmagenError(
                ErrorCode.INPUT, f"The seed cannot be {seed!r}.", f"It is a whole number from 0 to {SEED_LIMIT - 1}."
            )
        for key, value in parameters.items():
            if not isinstance(value, bool | int | float | str):
                raise OmagenError(ErrorCode.INPUT, f"The parameter {key!r} cannot be {value!r}.")
        return cls(
            engine=_text(data.get("engine"), "engine", 64),
            inputs={_text(k, "inputs", 64): _text(v, f"inputs.{k}", 4096) for k, v in inputs.items()},
            parameters={_text(k, "parameters", 64): v for k, v in parameters.items()},
            seed=seed,
            device=_text(data.get("device", "auto"), "device", 32),
            name=_text(data.get("name", ""), "name", 200),
        )

    def checked(self, info: EngineInfo) -> Request:
        """This request with every parameter present and valid for `info`; raises `OmagenError` (input) otherwise."""
        parameters = {p.id: p.default for p in info.parameters}
        parameters |= {id: info.parameter(id).check(value) for id, value in self.parameters.items()}
        known = {spec.id: spec for spec in info.inputs}
        for id in self.inputs:
            if id not in known:
                takes = ", ".join(known) or "nothing"
                raise OmagenError(
                    ErrorCode.INPUT, f"The engine {info.id!r} takes no input {id!r}.", f"It takes {takes}."
                )
        for spec in info.inputs:
            if spec.required and not self.inputs.get(spec.id):
                raise OmagenError(
                    ErrorCode.INPUT, f"{info.title} needs {spec.title.lower()}.", f"Choose {spec.title.lower()}."
                )
        return Request(self.engine, dict(self.inputs), parameters, self.seed, self.device, self.name)


@dataclass(frozen=True)
class Progress:
    """How far a running job is. `fraction` covers the whole job, 0 to 1; `remaining_s` is an estimate or None."""

    stage: str = ""
    fraction: float = 0.0
    remaining_s: float | None = None


@dataclass(frozen=True)
class Job:
    """One job as the backend reports it. Times are seconds since 1970, for display only."""

    id: str
    request: Request
    state: JobState
    created: float
    started: float | None = None
    finished: float | None = None
    progress: Progress = field(default_factory=Progress)
    warnings: tuple[str, ...] = ()
    error: OmagenError | None = None
    result: Mapping[str, Any] | None = None
    """Contents of the result folder's `result.json` once the job has succeeded."""
    files: tuple[str, ...] = ()
    """Names that `GET /v1/jobs/{id}/files/{name}` serves."""

    def to_json(self) -> Json:
        return {
            "id": self.id, "request": self.request.to_json(), "state": self.state.value, "created": self.created,
            "started": self.started, "finished": self.finished, "progress": asdict(self.progress),
            "warnings": list(self.warnings), "error": self.error.to_json() if self.error else None,
            "result": dict(self.result) if self.result is not None else None, "files": list(self.files),
        }  # fmt: skip

    @classmethod
    def from_json(cls, data: Any) -> Job:
        data = _mapping(data, "job")
        return cls(
            id=data["id"], request=Request.from_json(data["request"]), state=JobState(data["state"]),
            created=data["created"], started=data["started"], finished=data["finished"],
            progress=Progress(**data["progress"]),
            warnings=tuple(data["warnings"]), error=OmagenError.from_json(data["error"]) if data["error"] else None,
            result=data["result"], files=tuple(data["files"]),
        )  # fmt: skip


@dataclass(frozen=True)
class Event:
    """One line of a job's history, in order of `seq`. `kind` is `state`, `progress` or `warning`."""

    seq: int
    job: str
    kind: str
    data: Mapping[str, Any]
    """state: `{"state", "error"}` · progress: the fields of `Progress` · warning: `{"message"}`"""

    def to_json(self) -> Json:
        return asdict(self)


@dataclass(frozen=True)
class ServerState:
    """Where a running server is and how to talk to it; the content of `STATE_FILE`."""

    pid: int
    port: int
    token: str
    version: str
    protocol: int = PROTOCOL_VERSION
    host: str = "127.0.0.1"
    log: str = ""

    def to_json(self) -> Json:
        return asdict(self)

    @classmethod
    def from_json(cls, data: Any) -> ServerState:
        data = _mapping(data, "server state")
        try:
            return cls(**data)
        except TypeError as error:
            raise OmagenError(ErrorCode.ENVIRONMENT, f"The server's state file is not readable: {error}.") from error


def default_data_folder() -> Path:
    """Where jobs, results and weights live unless the user chose a folder: $OMAGEN_DATA or the system's user data."""
    if os.environ.get("OMAGEN_DATA"):
        return Path(os.environ["OMAGEN_DATA"]).expanduser()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local")) / "omagen"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "omagen"
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "omagen"


def _mapping(value: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise OmagenError(ErrorCode.INPUT, f"The field {what!r} must be an object, not {type(value).__name__}.")
    return value


def _text(value: Any, what: str, limit: int) -> str:
    if not isinstance(value, str) or len(value) > limit:
        raise OmagenError(ErrorCode.INPUT, f"The field {what!r} must be a text of at most {limit} characters.")
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise OmagenError(ErrorCode.INPUT, f"The field {what!r} holds characters that are not valid Unicode.")
    return value
