"""How a task is going: one line with a bar while it runs, what came of it afterwards."""

from __future__ import annotations

import bpy

from ...backend.omagen.protocol import ErrorCode, OmagenError
from ..runtime import Runtime
from ..task import Task
from . import wrapped_text


def line(task: Task) -> str:
    """Stage, percentage and time left in one line."""
    words = [task.stage]
    if task.job is not None and task.fraction > 0:
        words.append(f"{task.fraction:.0%}")
    if task.remaining_s is not None:
        words.append(f"{duration(task.remaining_s)} left")
    return "  ·  ".join(words)


def duration(seconds: float) -> str:
    """Seconds as a person says them: 8 s, 2 min 5 s, 1 h 10 min."""
    whole = max(round(seconds), 1)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s" if whole % 60 else f"{whole // 60} min"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def draw(layout: bpy.types.UILayout, context: bpy.types.Context, tasks: list[Task], warnings: bool = True) -> None:
    """Of some tasks, the one that runs, else what came of the last."""
    task = Runtime.foremost(tasks)
    if task is not None:
        draw_running(layout, task, sum(not other.ended for other in tasks) - 1)
    elif tasks:
        draw_ended(layout, context, tasks[-1])
        if warnings:
            draw_warnings(layout, context, tasks[-1])


def draw_running(layout: bpy.types.UILayout, task: Task, others: int) -> None:
    box = layout.column(align=True)
    name = f"{task.title}  ({others} more waiting)" if others else task.title
    box.label(text=name, icon="SORTTIME", translate=False)
    row = box.row(align=True)
    row.progress(text=line(task), factor=task.fraction, type="BAR")
    cancel = row.row(align=True)
    cancel.enabled = not task.cancel_wanted
    cancel.operator("omagen.cancel", text="", icon="CANCEL").job = task.job.id if task.job else ""


def draw_ended(layout: bpy.types.UILayout, context: bpy.types.Context, task: Task) -> None:
    if task.error is None:
        layout.label(text=f"{task.made} is ready", icon="CHECKMARK", translate=False)
    elif task.error.code is ErrorCode.CANCELLED:
        layout.label(text=f"{task.title} was cancelled", icon="X", translate=False)
    else:
        draw_error(layout, context, task.error, title=task.title)


def draw_warnings(layout: bpy.types.UILayout, context: bpy.types.Context, task: Task) -> None:
    for warning in task.warnings if task.error is None else ():
        wrapped_text.draw(layout, context, warning, icon="INFO")


def draw_error(layout: bpy.types.UILayout, context: bpy.types.Context, error: OmagenError, title: str = "") -> None:
    """What happened and what to do about it, in full."""
    box = layout.box()
    wrapped_text.draw(box, context, f"{title}: {error.message}" if title else error.message, icon="ERROR", alert=True)
    if error.remedy:
        wrapped_text.draw(box, context, error.remedy, icon="BLANK1")
