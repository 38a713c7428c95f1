"""What Blender is told about, in order, and taken back in reverse order, also after a half-failed registration."""

from __future__ import annotations

from contextlib import ExitStack

import bpy

from . import command, cutouts, level_of_detail, omages, parameters, preferences, properties, timers
from .operators import backend, cutout, drop, generate, jobs, mesh, models, omage, omage_files, painting, setup
from .panels import image_editor, job_list, sidebar, status_bar, thumbnails
from .panels import mesh as mesh_panel
from .panels import omage as omage_panel

CLASSES = (
    *omages.CLASSES,
    *properties.CLASSES,
    *preferences.CLASSES,
    *backend.CLASSES,
    *cutout.CLASSES,
    *drop.CLASSES,
    *generate.CLASSES,
    *jobs.CLASSES,
    *mesh.CLASSES,
    *models.CLASSES,
    *omage.CLASSES,
    *omage_files.CLASSES,
    *painting.CLASSES,
    *setup.CLASSES,
    *job_list.CLASSES,
    *sidebar.CLASSES,
    *mesh_panel.CLASSES,
    *omage_panel.CLASSES,
    *image_editor.CLASSES,
)
INSTALLERS = (
    preferences.install,
    omages.install,
    level_of_detail.install,
    omage_files.install,
    properties.install,
    parameters.install,
    thumbnails.install,
    cutouts.install,
    status_bar.install,
    command.install,
    timers.install,
)
"""Each does one thing and pushes its opposite onto the given stack."""

_undo = ExitStack()


def register(package: str) -> None:
    if package != preferences.PACKAGE:
        raise RuntimeError(f"Omagen was imported as {preferences.PACKAGE} but registered as {package}.")
    with ExitStack() as stack:
        for cls in CLASSES:
            bpy.utils.register_class(cls)
            stack.callback(bpy.utils.unregister_class, cls)
        for install in INSTALLERS:
            install(stack)
        _undo.push(stack.pop_all())


def unregister() -> None:
    _undo.close()
