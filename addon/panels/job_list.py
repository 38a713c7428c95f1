"""The list of jobs, and what can be done with the one that is selected."""

from __future__ import annotations

import time

import bpy

from ...backend.omagen.protocol import Job, JobState
from .. import properties, runtime
from . import progress, thumbnails, wrapped_text
from .sidebar import CATEGORY

ICONS = {
    JobState.QUEUED: "SORTTIME",
    JobState.RUNNING: "PLAY",
    JobState.CANCELLING: "CANCEL",
    JobState.SUCCEEDED: "CHECKMARK",
    JobState.FAILED: "ERROR",
    JobState.CANCELLED: "X",
    JobState.INTERRUPTED: "UNLINKED",
}


class OMAGEN_UL_jobs(bpy.types.UIList):
    bl_idname = "OMAGEN_UL_jobs"

    def draw_item(self, context, layout, data, item, icon, active_data, active_property, index=0, flt_flag=0) -> None:
        now = runtime.peek()
        job = now.jobs.get(item.name) if now else None
        if job is None:
            return
        row = layout.row(align=True)
        picture = thumbnails.of_job(job)
        name = job.request.name or job.request.engine
        if picture:
            row.label(text=name, icon_value=picture, translate=False)
        else:
            row.label(text=name, icon="IMAGE_DATA" if job.request.engine == "cutout" else "MESH_DATA", translate=False)
        side = row.row()
        side.alignment = "RIGHT"
        side.alert = job.state is JobState.FAILED
        if job.state is JobState.RUNNING:
            side.label(text=f"{job.progress.fraction:.0%}", translate=False)
        else:
            side.label(text=age(time.time() - job.created), translate=False)
        side.label(icon=ICONS[job.state])

    def filter_items(self, context, data, propname):
        """The search field looks for the jobs' names, not for their ids."""
        now = runtime.peek()
        rows = getattr(data, propname)
        if not self.filter_name or now is None:
            return [], []
        wanted = self.filter_name.casefold()
        jobs = [now.jobs.get(row.name) for row in rows]
        match = [job is not None and wanted in f"{job.request.name} {job.request.engine}".casefold() for job in jobs]
        return [self.bitflag_filter_item if shown else 0 for shown in match], []


class OMAGEN_PT_jobs(bpy.types.Panel):
    bl_label = "Jobs"
    bl_idname = "OMAGEN_PT_jobs"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = CATEGORY
    bl_order = 1

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        now = runtime.peek()
        return now is not None and bool(now.jobs)

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        manager = context.window_manager
        layout.template_list("OMAGEN_UL_jobs", "", manager, "omagen_jobs", manager, "omagen_job_index", rows=4)
        now = runtime.current()
        job = now.jobs.get(properties.chosen_job(context))
        if job is not None:
            draw_job(layout, context, job)


def draw_job(layout: bpy.types.UILayout, context: bpy.types.Context, job: Job) -> None:
    picture = thumbnails.of_job(job)
    if picture:
        layout.template_icon(icon_value=picture, scale=6.0)
    wrapped_text.draw(layout, context, summary(job))
    if job.error is not None and job.state is not JobState.CANCELLED:
        progress.draw_error(layout, context, job.error)
    for warning in job.warnings:
        wrapped_text.draw(layout, context, warning, icon="INFO")
    row = layout.row(align=True)
    if not job.state.ended:
        row.operator("omagen.cancel", icon="CANCEL").job = job.id
        return
    if job.state is JobState.SUCCEEDED:
        row.operator("omagen.job_import", text="Import", icon="IMPORT").job = job.id
    row.operator("omagen.job_rerun", text="Again", icon="FILE_REFRESH").job = job.id
    if runtime.current().uses_seed(job.request.engine):
        vary = row.operator("omagen.job_rerun", text="Vary", icon="MOD_ARRAY")
        vary.job, vary.vary = job.id, True
    row.operator("omagen.job_delete", text="", icon="TRASH").job = job.id


def summary(job: Job) -> str:
    """One or two lines: engine, seed, state, and what came out."""
    words = [job.request.engine, job.state.value]
    if runtime.current().uses_seed(job.request.engine):
        words.insert(1, f"seed {job.request.seed}")
    report = (job.result or {}).get("report") or {}
    if report.get("triangles"):
        words.append(f"{report['triangles']:,} triangles")
    seconds = ((job.result or {}).get("seconds") or {}).get("total")
    if seconds:
        words.append(f"{seconds:.1f} s" if seconds < 10 else progress.duration(seconds))
    return " · ".join(words)


def age(seconds: float) -> str:
    """How long ago, roughly: now, 5 min, 3 h, 2 d."""
    if seconds < 60:
        return "now"
    if seconds < 3600:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h" if seconds < 86400 else f"{seconds / 86400:.0f} d"


CLASSES = (OMAGEN_UL_jobs, OMAGEN_PT_jobs)
