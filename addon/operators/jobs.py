"""What can be done with the jobs that the backend remembers."""

from __future__ import annotations

from dataclasses import replace

import bpy
from bpy.props import BoolProperty, StringProperty

from ...backend.omagen.protocol import ErrorCode, Job, OmagenError, Request
from .. import omage_work, properties, runtime, submission
from ..delivery import Placement, cutout_delivery, object_delivery, stored_request
from ..mesh_delivery import Worked, result_delivery
from ..omage_delivery import WHOLE, Decoding, Encoded, mesh_delivery, omage_delivery
from ..task import Delivery, Task
from .cutout import ENGINE as CUTOUT
from .task_operator import TaskOperator, answered, require_engines


def _known_job(context: bpy.types.Context, id: str) -> Job:
    now = runtime.current()
    id = id or properties.chosen_job(context)
    if id not in now.jobs and bpy.app.background:
        require_engines()
    if id not in now.jobs:
        raise OmagenError(ErrorCode.INPUT, f"There is no job {id!r}." if id else "No job is selected.")
    return now.jobs[id]


def _delivery(context: bpy.types.Context, request: Request) -> Delivery:
    title = request.name or request.engine
    if request.engine == CUTOUT:
        return cutout_delivery("", title)
    if runtime.current().produces(request.engine) == "omage":
        encoded = Encoded(title, omage_work.at_cursor(context))
        return omage_delivery(encoded, lambda geometry: omage_work.decode(bpy.context, geometry, {}, new_object=True))
    engine = runtime.current().engines.get(request.engine)
    if engine is not None and engine.works_on_selection and engine.produces in {"report", "picture"}:
        raise OmagenError(
            ErrorCode.INPUT,
            f"{engine.title}: this job made nothing that belongs into a scene by itself.",
            "Do the same with the object again.",
        )
    if engine is not None and engine.works_on_selection and engine.produces == "mesh":
        return result_delivery(Worked(title))
    if request.engine == omage_work.DECODE:
        chosen = request.parameters
        decoding = Decoding(title, omage_work.at_cursor(context), parts=str(chosen.get("parts", WHOLE)))
        return mesh_delivery(decoding)
    return object_delivery(Placement.at_cursor(context))


class OMAGEN_OT_cancel(bpy.types.Operator):
    """Stop the job; what it has done so far is discarded"""

    bl_idname = "omagen.cancel"
    bl_label = "Cancel"
    bl_options = {"REGISTER"}

    job: StringProperty(name="Job", description="Id of the job. Empty: the one that is running", options={"SKIP_SAVE"})

    def execute(self, context: bpy.types.Context) -> set[str]:
        now = runtime.current()
        wanted = next(
            (t for t in now.tasks if self.job and t.job and t.job.id == self.job), None if self.job else now.active
        )
        if wanted is not None:
            now.cancel(wanted)
        elif self.job:
            now.cancel_job(self.job)
        else:
            self.report({"INFO"}, "Nothing is running.")
            return {"CANCELLED"}
        return {"FINISHED"}


class OMAGEN_OT_job_import(TaskOperator, bpy.types.Operator):
    """Put the job's result into the scene again, at the 3D cursor"""

    bl_idname = "omagen.job_import"
    bl_label = "Import Again"
    bl_options = {"REGISTER"}

    job: StringProperty(name="Job", description="Id of the job. Empty: the selected one", options={"SKIP_SAVE"})

    def start(self, context: bpy.types.Context) -> Task:
        job = _known_job(context, self.job)
        if job.result is None:
            raise OmagenError(ErrorCode.INPUT, "The job has no result.", "Run it again.")
        return runtime.current().deliver(job.request.name or job.request.engine, job, _delivery(context, job.request))


class OMAGEN_OT_job_rerun(TaskOperator, bpy.types.Operator):
    """Run the same request again"""

    bl_idname = "omagen.job_rerun"
    bl_label = "Run Again"
    bl_options = {"REGISTER"}

    job: StringProperty(
        name="Job",
        description="Id of the job. Empty: the selected one",
        options={"SKIP_SAVE"},
    )
    from_object: BoolProperty(
        name="From Object", description="Run the request that the active object was made with", options={"SKIP_SAVE"}
    )
    vary: BoolProperty(name="Vary", description="Use the next seed, for another variation", options={"SKIP_SAVE"})

    @classmethod
    def description(cls, context: bpy.types.Context, properties: bpy.types.OperatorProperties) -> str:
        return "Run the same request with the next seed" if properties.vary else "Run exactly the same request again"

    def start(self, context: bpy.types.Context) -> Task:
        if self.from_object:
            stored = stored_request(context.object)
            if stored is None:
                raise OmagenError(ErrorCode.INPUT, "The active object was not made by Omagen.")
            request = Request.from_json(stored)
        else:
            request = _known_job(context, self.job).request
        if self.vary:
            request = replace(request, seed=request.seed + 1)
        title = request.name or request.engine
        return runtime.current().submit(title, submission.resubmission(request), _delivery(context, request))


class OMAGEN_OT_job_delete(bpy.types.Operator):
    """Delete the job and its files from the data folder. Objects already imported stay"""

    bl_idname = "omagen.job_delete"
    bl_label = "Delete Job"
    bl_options = {"REGISTER"}

    job: StringProperty(name="Job", description="Id of the job. Empty: the selected one", options={"SKIP_SAVE"})

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        return context.window_manager.invoke_confirm(self, event)

    def execute(self, context: bpy.types.Context) -> set[str]:
        now = runtime.current()
        try:
            id = _known_job(context, self.job).id
        except OmagenError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        now.forget(id)
        return answered(self, lambda: id not in now.jobs or now.error is not None)


class OMAGEN_OT_refresh(bpy.types.Operator):
    """Ask the backend for its engines, jobs and models again"""

    bl_idname = "omagen.refresh"
    bl_label = "Refresh"
    bl_options = {"REGISTER"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        now = runtime.current()
        now.refresh()
        return answered(self, lambda: not now.busy)


CLASSES = (OMAGEN_OT_cancel, OMAGEN_OT_job_import, OMAGEN_OT_job_rerun, OMAGEN_OT_job_delete, OMAGEN_OT_refresh)
