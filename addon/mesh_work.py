"""Finishing, refining and texturing objects of the scene as tasks: from what is selected to requests."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import bpy

from ..backend.omagen.protocol import EngineInfo, ErrorCode, InputKind, InputSpec, OmagenError, Value
from . import parameters, preferences, runtime
from .mesh_delivery import Worked, quality_delivery, result_delivery
from .scene import region as regions
from .scene import replace_mesh
from .scene.read_image import Sendable, picture_file, read_mask, read_picture
from .scene.read_mesh import MeshReader
from .submission import Submission
from .task import Task

MESH: Final = parameters.SELECTION
INSPECT: Final = "inspect"
REPLACE: Final = "REPLACE"


def engine_of(id: str) -> EngineInfo:
    """Raises `OmagenError` (input) for what is no engine for meshes of the scene, or cannot run here."""
    engine = runtime.current().engines.get(id)
    if engine is None or not engine.works_on_selection:
        known = ", ".join(one.id for one in runtime.current().engines.values() if one.works_on_selection)
        raise OmagenError(ErrorCode.INPUT, f"There is no engine {id!r} for meshes.", f"There are: {known or 'none'}.")
    if engine.problem:
        raise OmagenError(ErrorCode.MODEL, engine.problem)
    return engine


def start(
    context: bpy.types.Context,
    engine: EngineInfo,
    objects: Sequence[bpy.types.Object],
    *,
    target: str,
    region: str,
    apply_modifiers: bool,
    chosen: Mapping[str, Value],
    given: Mapping[str, str],
    then: Callable[[bpy.types.Object], Task | None] | None = None,
) -> list[Task]:
    """One task per object. `given`: inputs by id, words or the path of a file or the name of an image, in place of what
    the panel shows; `then` starts what follows once an object has its result.

    Raises `OmagenError` (input) where something is missing, before anything is sent.
    """
    if not objects:
        raise OmagenError(ErrorCode.INPUT, "No object is selected.", "Select objects that have a surface.")
    files, words = _inputs(context, engine, given)
    planned = []
    for obj in objects:
        if target == REPLACE and not replace_mesh.is_replaceable(obj):
            raise OmagenError(
                ErrorCode.INPUT, f"The mesh of {obj.name!r} cannot be replaced.", "Make a new object instead."
            )
        applied = apply_modifiers or obj.type != "MESH"
        reader = MeshReader(context, applied)
        if applied:
            source, sent = reader.read(obj.name, [obj], obj.matrix_world), 0
        else:
            weights = regions.weights(obj, region) if engine.uses_region else None
            source, sent = reader.read_numbered(obj, weights), len(obj.data.vertices)
        worked = Worked(obj.name, obj.session_uid, target == REPLACE, sent, applied, tuple(reader.warnings))
        submission = Submission(
            engine.id,
            obj.name,
            files={**files, MESH: source.glb},
            words=words,
            parameters=dict(chosen),
            seed=context.scene.omagen.seed if engine.uses_seed else 0,
            device=preferences.preferences(context).device,
        )
        planned.append((submission, worked))
    now = runtime.current()
    return [
        now.submit(f"{engine.title} {worked.title}", sent.send, result_delivery(worked, then), engine.id, worked.object)
        for sent, worked in planned
    ]


def inspect(context: bpy.types.Context, objects: Sequence[bpy.types.Object], apply_modifiers: bool) -> list[Task]:
    """A task per object that finds out how good its mesh is."""
    if not objects:
        raise OmagenError(ErrorCode.INPUT, "No object is selected.", "Select objects that have a surface.")
    now = runtime.current()
    tasks = []
    for obj in objects:
        reader = MeshReader(context, apply_modifiers or obj.type != "MESH")
        # numbered, so that its vertices stay one also where colours differ at their corners
        source = replace(reader.read(obj.name, [obj], obj.matrix_world), is_numbered=True)
        sent = Submission(INSPECT, obj.name, files={MESH: source.glb}, parameters={"weld": False})
        delivered = quality_delivery(obj.name, obj.session_uid)
        tasks.append(now.submit(f"Inspect {obj.name}", sent.send, delivered, INSPECT))
    return tasks


def _inputs(
    context: bpy.types.Context, engine: EngineInfo, given: Mapping[str, str]
) -> tuple[dict[str, Sendable], dict[str, str]]:
    """Everything besides the mesh: what was passed, else what the panel shows."""
    files: dict[str, Sendable] = {}
    words: dict[str, str] = {}
    shown = parameters.group(context.scene.omagen, engine) if parameters.is_shown(engine) else None
    known = {spec.id for spec in engine.inputs} - {MESH}
    if unknown := sorted(set(given) - known):
        raise OmagenError(
            ErrorCode.INPUT,
            f"{engine.title} takes no {', '.join(unknown)}.",
            f"It takes {', '.join(sorted(known)) or 'nothing besides the mesh'}.",
        )
    for spec in engine.inputs:
        if spec.id == MESH:
            continue
        value = given.get(spec.id) or (getattr(shown, parameters.input_attribute(spec.id)) if shown else None)
        if not value:
            if spec.required:
                raise OmagenError(
                    ErrorCode.INPUT, f"{spec.title} is missing.", f"Choose {spec.title.lower()} in the panel."
                )
        elif spec.kind.is_file:
            files[spec.id] = _file(value, spec)
        else:
            words[spec.id] = str(value)
    return files, words


def _file(value: Any, spec: InputSpec) -> Sendable:
    image = bpy.data.images.get(value) if isinstance(value, str) else value
    if isinstance(image, bpy.types.Image):
        return read_mask(image) if spec.kind is InputKind.MASK else read_picture(image)
    return picture_file(value)


def given_inputs(text: str) -> dict[str, str]:
    """The operator's property `inputs`: a JSON object, ids to words, names of images or paths."""
    if not text.strip():
        return {}
    try:
        inputs = json.loads(text)
    except ValueError:
        inputs = None
    if not isinstance(inputs, dict):
        raise OmagenError(ErrorCode.INPUT, "The inputs are no JSON object.", 'Write {"normals": "map.png"}.')
    return {str(id): str(value) for id, value in inputs.items()}
