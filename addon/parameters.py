"""An engine's settings as Blender properties, built from the engine's own description.

Every engine becomes a property group whose properties carry title, tooltip, range and default, so that Blender itself
enforces ranges, shows tooltips and offers "Reset to Default Value". The groups are rebuilt when the descriptions
change; values stay in the scene.
"""

from __future__ import annotations

import re
import zlib
from contextlib import ExitStack
from typing import Any

import bpy
from bpy.props import BoolProperty, EnumProperty, FloatProperty, IntProperty, PointerProperty, StringProperty

from ..backend.omagen.protocol import EngineInfo, InputKind, InputSpec, Parameter, ParameterKind, Value
from . import runtime
from .properties import OmagenSettings
from .runtime import Runtime

PICTURE, MASK = "image", "mask"
"""The two inputs for which the panel has controls of its own."""
SELECTION = "mesh"
"""The input that is the selected object, of engines that work on those."""
INT_LIMIT = 2**31 - 1

_shown: tuple[EngineInfo, ...] = ()
_undo = ExitStack()


def attribute(id: str) -> str:
    """The property's name for an id of an engine, parameter or input."""
    return "omagen_" + re.sub(r"\W", "_", id)


def input_attribute(id: str) -> str:
    return attribute("input_" + id)


def offered() -> list[EngineInfo]:
    """The engines that make new objects, out of something else than an omage."""
    made = [engine for engine in _shown if engine.produces == "mesh" and not engine.works_on_selection]
    return [engine for engine in made if not _takes_omages(engine)]


def offered_for_meshes() -> list[EngineInfo]:
    """The engines that change objects of the scene."""
    return [engine for engine in _shown if engine.produces == "mesh" and engine.works_on_selection]


def _takes_omages(engine: EngineInfo) -> bool:
    return any(spec.kind is InputKind.OMAGE for spec in engine.inputs)


def mesh_engines() -> set[str]:
    """The ids of all engines whose tasks are shown in the panel "Mesh"."""
    return {engine.id for engine in _shown if engine.works_on_selection}


def chosen_engine(settings: OmagenSettings) -> EngineInfo | None:
    """The engine chosen in the panel; None until the backend has described any."""
    return _chosen(offered(), getattr(settings, "engine", ""))


def chosen_mesh_engine(settings: OmagenSettings) -> EngineInfo | None:
    """The same for objects of the scene."""
    return _chosen(offered_for_meshes(), getattr(settings, "mesh_engine", ""))


def _chosen(engines: list[EngineInfo], id: str) -> EngineInfo | None:
    return next((engine for engine in engines if engine.id == id), engines[0] if engines else None)


def own_inputs(engine: EngineInfo) -> list[InputSpec]:
    """The inputs that have a property each: all but those for which a panel has controls of its own."""
    hidden = {SELECTION} if engine.works_on_selection else {PICTURE, MASK}
    return [spec for spec in engine.inputs if spec.id not in hidden]


def is_shown(engine: EngineInfo) -> bool:
    """Whether there are properties for an engine's settings."""
    return engine in _shown


def group(settings: OmagenSettings, engine: EngineInfo) -> bpy.types.PropertyGroup:
    return getattr(settings, attribute(engine.id))


def values(settings: OmagenSettings, engine: EngineInfo) -> dict[str, Value]:
    """Parameter id -> the panel's value, in the parameter's own type."""
    chosen = group(settings, engine)
    return {
        parameter.id: _value(getattr(chosen, attribute(parameter.id)), parameter) for parameter in engine.parameters
    }


def reset(settings: OmagenSettings, engine: EngineInfo) -> None:
    chosen = group(settings, engine)
    for parameter in engine.parameters:
        chosen.property_unset(attribute(parameter.id))


def show(engines: tuple[EngineInfo, ...]) -> None:
    """Rebuild the properties if the descriptions differ from those already shown."""
    global _shown
    if engines == _shown:
        return
    _undo.close()
    _shown = engines
    for engine in engines:
        cls = type(
            "OMAGEN_PG_" + re.sub(r"\W", "_", engine.id),
            (bpy.types.PropertyGroup,),
            {"__annotations__": _definitions(engine), "__doc__": engine.description},
        )
        bpy.utils.register_class(cls)
        _undo.callback(bpy.utils.unregister_class, cls)
        _own(attribute(engine.id), PointerProperty(type=cls))
    choices = (
        ("engine", "Engine", "What makes the object", offered()),
        ("mesh_engine", "Work", "What is done with the selected objects", offered_for_meshes()),
    )
    for name, title, description, offers in choices:
        items = [_item(engine.id, engine.title, engine.problem or engine.description) for engine in offers]
        if items:
            _own(name, EnumProperty(name=title, description=description, items=items, default=items[0][0]))


def install(stack: ExitStack) -> None:
    stack.callback(show, ())
    runtime.on_open(lambda now: now.listeners.append(lambda: _follow(now)), stack)


def _follow(now: Runtime) -> None:
    if now.engines:
        show(tuple(now.engines.values()))


def _own(name: str, definition: object) -> None:
    setattr(OmagenSettings, name, definition)
    _undo.callback(delattr, OmagenSettings, name)


def _item(id: str, title: str, description: str) -> tuple[str, str, str, int]:
    # Blender saves the number: it must not depend on the order in which engines are listed. Rows of buttons compare
    # numbers as 32-bit floats.
    return id, title, description, zlib.crc32(id.encode()) & (2**24 - 1)


def _definitions(engine: EngineInfo) -> dict[str, object]:
    definitions = {attribute(parameter.id): _definition(parameter) for parameter in engine.parameters}
    return definitions | {input_attribute(spec.id): _input_definition(spec) for spec in own_inputs(engine)}


def _definition(parameter: Parameter) -> object:
    words = {"name": parameter.title, "description": parameter.description, "default": parameter.default}
    if parameter.kind is ParameterKind.BOOL:
        return BoolProperty(**words)
    if parameter.kind is ParameterKind.CHOICE:
        return EnumProperty(**words, items=[_item(c.id, c.title, c.description) for c in parameter.choices])
    if parameter.minimum is not None:
        words["min"] = parameter.minimum
    if parameter.maximum is not None:
        words["max"] = parameter.maximum
    if parameter.kind is ParameterKind.FLOAT:
        return FloatProperty(**words, precision=2, step=1)
    whole = {key: int(max(-INT_LIMIT, min(INT_LIMIT, words[key]))) for key in ("min", "max") if key in words}
    return IntProperty(**(words | whole))


def _input_definition(spec: InputSpec) -> object:
    words = {"name": spec.title, "description": spec.description}
    if spec.kind in {InputKind.IMAGE, InputKind.MASK}:
        return PointerProperty(type=bpy.types.Image, **words)
    if spec.kind in {InputKind.MESH, InputKind.OMAGE}:
        return StringProperty(subtype="FILE_PATH", **words)
    return StringProperty(**words)


def _value(value: Any, parameter: Parameter) -> Value:
    """Blender stores 32-bit floats: 0.3 comes back as 0.30000001, which is rounded to what the user typed."""
    if parameter.kind is ParameterKind.FLOAT:
        value = float(f"{value:.6g}")
        low = value if parameter.minimum is None else max(value, parameter.minimum)
        return low if parameter.maximum is None else min(low, parameter.maximum)
    return value
