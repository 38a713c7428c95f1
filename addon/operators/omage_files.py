"""Omages from and to disk: File > Import, File > Export, and dropping files into the 3D view."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import bpy
from bpy.props import StringProperty

from ...backend.omagen import omage_layout
from ...backend.omagen.protocol import ErrorCode, OmagenError
from .. import omage_work, omages
from ..scene import omage_folder, png
from ..scene.map_names import PICTURES
from ..scene.omage_files import check_size, checked
from ..scene.read_image import picture_file
from ..task import Task
from .generate import parse_parameters
from .omage import PARAMETERS, shown_omage
from .task_operator import TaskOperator

NPZ = ".npz"
FILES = ";".join(f"*{suffix}" for suffix in (omage_layout.SUFFIX, NPZ, *PICTURES))
FILES += f";{omage_layout.HEADER_FILE}"


class OMAGEN_OT_omage_import(TaskOperator, bpy.types.Operator):
    """Bring in an omage: its images, and the object that it decodes to at the 3D cursor"""

    bl_idname = "omagen.omage_import"
    bl_label = "Import Omage"
    bl_options = {"REGISTER"}

    filepath: StringProperty(
        name="File",
        description=".omage, .npz of the published layout, or one of the pictures in a folder",
        subtype="FILE_PATH",
        options={"SKIP_SAVE"},
    )
    filter_glob: StringProperty(default=FILES, options={"HIDDEN"})
    parameters: StringProperty(**PARAMETERS)
    browsed: bool = False

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        if self.filepath:  # dropped
            return super().invoke(context, event)
        self.browsed = True
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self: Any, context: bpy.types.Context) -> set[str]:
        # Chosen in the file browser it runs at once, like any button; called by a script it runs to the end.
        return TaskOperator.invoke(self, context, None) if self.browsed else super().execute(context)

    def start(self, context: bpy.types.Context) -> Task:
        path = _chosen(self.filepath)
        chosen = omage_work.settings_of(context, omage_work.DECODE, parse_parameters(self.parameters))
        chosen |= {"resolution": 0} if "resolution" not in parse_parameters(self.parameters) else {}
        if path.suffix.lower() == NPZ:
            return omage_work.decode_file(context, path, path.stem, chosen)
        try:
            packed = path.is_file() and path.suffix.lower() not in (".json", *PICTURES)
            files = omage_layout.unpack(path) if packed else omage_folder.read_folder(path)
        except OSError as error:
            raise OmagenError(
                ErrorCode.INPUT, f"{error.filename} cannot be read: {error.strerror}.", "Choose another file."
            ) from error
        title = path.stem if packed else omage_folder.title_of(path)
        if not omage_folder.is_ready(files):
            for name, data in files.items():
                if data.startswith(png.SIGNATURE):
                    check_size(name, data)
            return omage_work.decode_file(context, omage_layout.pack(files), title, chosen)
        header, maps = checked(files)
        title = header.name if header.name != "object" else title
        return omage_work.bring_in(context, header, maps, title, chosen)


class OMAGEN_OT_omage_export(bpy.types.Operator):
    """Save the omage as it is painted now in one file"""

    bl_idname = "omagen.omage_export"
    bl_label = "Export Omage"
    bl_options = {"REGISTER"}

    filepath: StringProperty(name="File", subtype="FILE_PATH", options={"SKIP_SAVE"})
    filter_glob: StringProperty(default=f"*{omage_layout.SUFFIX}", options={"HIDDEN"})
    check_existing: bpy.props.BoolProperty(default=True, options={"HIDDEN"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if shown_omage(context) is None:
            cls.poll_message_set("Select an object that has an omage")
            return False
        return True

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        geometry = shown_omage(context)
        self.filepath = bpy.path.clean_name(omages.title_of(geometry)) + omage_layout.SUFFIX
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        path = Path(bpy.path.abspath(self.filepath)).with_suffix(omage_layout.SUFFIX)
        try:
            _write(path, omages.files_of(shown_omage(context)).packed())
        except OmagenError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        except OSError as error:
            self.report({"ERROR"}, f"{path} cannot be written: {error.strerror or error}. Choose another place.")
            return {"CANCELLED"}
        self.report({"INFO"}, f"Saved {path.name}.")
        return {"FINISHED"}


class OMAGEN_FH_omage(bpy.types.FileHandler):
    bl_idname = "OMAGEN_FH_omage"
    bl_label = "Import Omage"
    bl_import_operator = OMAGEN_OT_omage_import.bl_idname
    bl_file_extensions = f"{omage_layout.SUFFIX};{NPZ}"

    @classmethod
    def poll_drop(cls, context: bpy.types.Context) -> bool:
        return context.area is not None and context.area.type == "VIEW_3D"


def _chosen(path: str) -> Path:
    """The file or folder of a path in Blender's notation. Raises `OmagenError` (input) where there is none."""
    if not path:
        raise OmagenError(ErrorCode.INPUT, "No file is chosen.", "Choose an omage's file or one of its pictures.")
    folder = Path(bpy.path.abspath(path)).expanduser()
    return folder if folder.is_dir() else picture_file(path)


def _write(path: Path, data: bytes) -> None:
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_bytes(data)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _draw_import(self: bpy.types.Menu, context: bpy.types.Context) -> None:
    self.layout.operator(OMAGEN_OT_omage_import.bl_idname, text=f"Omage ({omage_layout.SUFFIX}/{NPZ})")


def _draw_export(self: bpy.types.Menu, context: bpy.types.Context) -> None:
    self.layout.operator(OMAGEN_OT_omage_export.bl_idname, text=f"Omage ({omage_layout.SUFFIX})")


def install(stack: ExitStack) -> None:
    for menu, draw in (
        (bpy.types.TOPBAR_MT_file_import, _draw_import),
        (bpy.types.TOPBAR_MT_file_export, _draw_export),
    ):
        menu.append(draw)
        stack.callback(menu.remove, draw)


CLASSES = (OMAGEN_OT_omage_import, OMAGEN_OT_omage_export, OMAGEN_FH_omage)
