"""What all operators that start a task share: at once under INVOKE, to the end under EXEC."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import bpy

from ...backend.omagen.protocol import ErrorCode, OmagenError
from .. import preferences, runtime
from ..task import Task


class TaskOperator:
    """Mixin for `bpy.types.Operator`. `start` raises `OmagenError` for what the user can mend."""

    def start(self, context: bpy.types.Context) -> Task:
        raise NotImplementedError

    def start_all(self, context: bpy.types.Context) -> list[Task]:
        """For operators that start more than one."""
        return [self.start(context)]

    def invoke(self: Any, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        try:
            require_backend(context)
            self.start_all(context)
        except OmagenError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        return {"FINISHED"}

    def execute(self: Any, context: bpy.types.Context) -> set[str]:
        try:
            require_backend(context)
            tasks = self.start_all(context)
        except OmagenError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        outcomes = {frozenset(self.finish(task)) for task in tasks}
        return {"FINISHED"} if outcomes == {frozenset({"FINISHED"})} else {"CANCELLED"}

    def finish(self: Any, task: Task) -> set[str]:
        """Wait for a task and what it sets off; report what came of it."""
        now = runtime.current()
        try:
            now.wait(lambda: task.ended)
        except KeyboardInterrupt:
            now.cancel(task)
            now.wait(lambda: task.ended)
            raise
        for warning in task.warnings:
            self.report({"WARNING"}, warning)
        if task.error is not None:
            cancelled = task.error.code is ErrorCode.CANCELLED
            self.report({"WARNING"} if cancelled else {"ERROR"}, str(task.error))
            return {"CANCELLED"}
        self.report({"INFO"}, f"{task.title}: {task.made}")
        return self.finish(task.following) if task.following else {"FINISHED"}


def require_backend(context: bpy.types.Context) -> None:
    """Raise `OmagenError` (environment) where it is plain that the backend can neither be found nor started."""
    problem = preferences.missing_environment(context)
    if problem and not runtime.current().backend.may_run:
        raise problem


def require_engines() -> None:
    """Wait until the backend has described its engines; for EXEC, where waiting is what is asked for."""
    now = runtime.current()
    if not now.engines:
        now.refresh()
        now.wait(lambda: bool(now.engines) or now.error is not None)
    if not now.engines and now.error is not None:
        raise now.error


def answered(operator: bpy.types.Operator, condition: Callable[[], bool]) -> set[str]:
    """How an operator ends that has asked the backend for something: at once in a window, where a failure shows in the
    panel; in background mode after `condition` holds, reporting a failure.
    """
    if bpy.app.background:
        now = runtime.current()
        now.wait(condition)
        if now.error is not None:
            operator.report({"ERROR"}, str(now.error))
            return {"CANCELLED"}
    return {"FINISHED"}
