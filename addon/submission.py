"""From what the user chose to a request: copied out of Blender at once, encoded and sent off the main thread."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import bpy

from ..backend.omagen.protocol import ErrorCode, InputKind, Job, OmagenError, Request, Value
from . import cutouts, parameters, preferences
from .client.api import Client
from .properties import OmagenSettings
from .scene.read_image import Sendable, picture_file, read_mask, read_picture, sendable


@dataclass(frozen=True)
class Submission:
    """A request whose files are still to be uploaded."""

    engine: str
    title: str
    files: Mapping[str, Sendable] = field(default_factory=dict)
    words: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, Value] = field(default_factory=dict)
    seed: int = 0
    device: str = "auto"

    def send(self, client: Client) -> Job:
        """Upload and submit; runs on the network thread."""
        blobs = {id: client.upload(sendable(source)) for id, source in self.files.items()}
        request = Request(
            self.engine, {**self.words, **blobs}, dict(self.parameters), self.seed, self.device, self.title[:200]
        )
        return client.submit(request)


def resubmission(request: Request) -> Callable[[Client], Job]:
    """A request whose files the backend still has."""
    return lambda client: client.submit(request)


def from_panel(context: bpy.types.Context) -> Submission:
    """What the panel shows. Raises `OmagenError` (input) where something is missing."""
    settings: OmagenSettings = context.scene.omagen
    engine = parameters.chosen_engine(settings)
    if engine is None:
        raise OmagenError(ErrorCode.INPUT, "No engine is known yet.", "Start the backend first.")
    if engine.problem:
        raise OmagenError(ErrorCode.MODEL, engine.problem)
    files: dict[str, Sendable] = {}
    words: dict[str, str] = {}
    chosen = parameters.group(settings, engine)
    title = ""
    for spec in engine.inputs:
        if spec.id == parameters.PICTURE:
            files[spec.id] = panel_picture(context)
            title = cutouts.picture_title(settings, context)
        elif spec.id == parameters.MASK:
            if settings.use_mask and settings.mask:
                files[spec.id] = read_mask(settings.mask)
        elif value := getattr(chosen, parameters.input_attribute(spec.id)):
            if isinstance(value, bpy.types.Image):
                files[spec.id] = read_mask(value) if spec.kind is InputKind.MASK else read_picture(value)
            elif spec.kind.is_file:
                files[spec.id] = file = picture_file(value)
                title = title or file.stem
            else:
                words[spec.id] = value
                title = title or value[:40]
        elif spec.required:
            raise OmagenError(
                ErrorCode.INPUT, f"{spec.title} is missing.", f"Choose {spec.title.lower()} in the panel."
            )
    return Submission(
        engine=engine.id,
        title=title or engine.title,
        files=files,
        words=words,
        parameters=parameters.values(settings, engine),
        seed=settings.seed,
        device=preferences.preferences(context).device,
    )


def panel_picture(context: bpy.types.Context) -> Sendable:
    """The picture chosen in the panel. Raises `OmagenError` (input) if there is none."""
    settings: OmagenSettings = context.scene.omagen
    if settings.source == "FILE":
        if not settings.filepath:
            raise OmagenError(ErrorCode.INPUT, "No picture is chosen.", "Choose a picture file in the panel.")
        return picture_file(settings.filepath)
    image = cutouts.picture_image(settings, context)
    if image is None and settings.source == "TEXTURE":
        raise OmagenError(
            ErrorCode.INPUT,
            "The active object has no base colour texture.",
            "Select an object with an image behind its material's Base Color, or choose another picture.",
        )
    if image is None:
        raise OmagenError(ErrorCode.INPUT, "No picture is chosen.", "Choose or open an image in the panel.")
    return read_picture(image)
