"""From any raw surface to a clean mesh with UVs and textures, stage by stage; each can be left out and has a way out.

Order: clean, simplify or remesh, unwrap, bake, report. What is asked to stay is never touched: with `unwrap="keep"` all
arrays of the mesh are the very same ones, with `materials="keep"` so are the materials.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import numpy as np

from omagen.engines.base import RunProgress
from omagen.finish.cleaning import clean
from omagen.finish.settings import FinishSettings
from omagen.protocol import ErrorCode, OmagenError
from omagen.shapes import Material, Mesh, Texture

COUNT_TOLERANCE: Final = 0.02
"""Difference between the faces asked for and those delivered, beyond which the user is told"""
SHARES: Final = {"clean": (0.0, 0.1), "simplify": (0.1, 0.3), "unwrap": (0.3, 0.6), "bake": (0.6, 0.95)}
"""From where to where on the bar of progress each stage goes"""


class _TooLong(Exception):
    """A stage has used up its time."""


def finish_mesh(
    mesh: Mesh, settings: FinishSettings, progress: RunProgress, *, source: Mesh | None = None
) -> tuple[Mesh, dict[str, Any]]:
    """`mesh` finished as `settings` say, and a report in plain JSON: stage -> how it went.

    Of each stage: `state` (`done`, `skipped`, `fallback`), `seconds`, `why` in words where it is not `done`, and what
    it counted (see `cleaning.clean`, `texture_layout.unwrap`); `simplify` has `asked` and `delivered` faces, `bake`
    `asked` and `delivered` pixels and its `maps`. `source`: what colours and details are read from, by default `mesh`.
    Raises `OmagenError`: input for impossible settings, geometry where nothing can be delivered, cancelled.
    """
    settings.checked()
    if len(mesh.faces) == 0:
        raise OmagenError(ErrorCode.GEOMETRY, "The mesh has no faces.", "Choose another mesh.")
    if settings.unwrap == "keep" and mesh.uv is None:
        raise OmagenError(ErrorCode.GEOMETRY, "The mesh has no UVs to keep.", "Choose automatic UVs.")
    return _Finishing(mesh, settings, progress, source or mesh).run()


class _Finishing:
    """One mesh on its way."""

    def __init__(self, mesh: Mesh, settings: FinishSettings, progress: RunProgress, source: Mesh) -> None:
        self._mesh, self._given, self._source = mesh, mesh, source
        self._settings, self._progress = settings, progress
        self._report: dict[str, Any] = {}
        self._is_reshaped = source is not mesh
        self._is_unwrapped = False
        self._bakes = settings.materials == "bake" and settings.maps != frozenset()

    def run(self) -> tuple[Mesh, dict[str, Any]]:
        for name, stage in (
            ("clean", self._clean),
            ("simplify", self._simplify),
            ("unwrap", self._unwrap),
            ("bake", self._bake),
        ):
            begin = time.perf_counter()
            self._report[name] = stage()
            self._report[name]["seconds"] = round(time.perf_counter() - begin, 3)
        if self._mesh.normals is None and self._given.normals is None and not self._is_reshaped:
            return self._mesh, self._report
        return self._with_normals(), self._report

    def _with_normals(self) -> Mesh:
        """What was smooth stays smooth: faces that are new have no normals of their own yet."""
        if self._mesh.normals is not None:
            return self._mesh
        from omagen.omage.surface_normals import corner_normals

        return replace(self._mesh, normals=corner_normals(self._mesh))

    def _clean(self) -> dict[str, Any]:
        if not self._settings.clean:
            return _skipped("not asked for")
        if self._settings.keeps_topology:
            return _skipped("the UVs are kept, and with them every face")
        tell = self._teller("clean", "Cleaning", self._settings.budget_s)
        self._mesh, counts = clean(self._mesh, self._settings, tell, is_baked=self._bakes)
        return {"state": "done"} | counts

    def _simplify(self) -> dict[str, Any]:
        asked, before = self._settings.faces, len(self._mesh.faces)
        if self._settings.remesh == "quads":
            return self._remesh(asked)
        counts = {"asked": asked, "delivered": before, "before": before}
        if not asked or before <= asked:
            return _skipped("the mesh has no more faces than asked for" if asked else "not asked for") | counts
        if self._settings.keeps_topology:
            self._progress.warn(
                f"The mesh keeps its {before:,} faces, not {asked:,}, because the UVs are kept. Choose automatic UVs."
            )
            return _skipped("the UVs are kept, and with them every face") | counts
        return self._decimated(asked)

    def _decimated(self, asked: int) -> dict[str, Any]:
        from omagen.geometry.decimation import decimate

        before = len(self._mesh.faces)
        state: dict[str, Any] = {"state": "done"}
        try:
            tell = self._teller("simplify", "Simplifying", self._settings.budget_s)
            self._mesh = decimate(self._mesh, asked, tell).mesh
            self._is_reshaped = True
        except _TooLong:
            state = {"state": "fallback", "why": "simplifying took too long"}
        return state | self._checked_count(asked) | {"before": before}

    def _checked_count(self, asked: int) -> dict[str, Any]:
        quads = 0 if self._mesh.quads is None else len(self._mesh.quads)
        delivered = len(self._mesh.faces) - quads
        if abs(delivered - asked) > COUNT_TOLERANCE * asked:
            self._progress.warn(f"The mesh has {delivered:,} faces; {asked:,} were asked for.")
        return {"asked": asked, "delivered": delivered, "quads": quads}

    def _remesh(self, asked: int) -> dict[str, Any]:
        from omagen.geometry.quads import remesh_to_quads

        before = len(self._mesh.faces)
        if self._settings.keeps_topology:
            self._progress.warn("The mesh keeps its faces, because the UVs are kept. Choose automatic UVs for quads.")
            return _skipped("the UVs are kept, and with them every face") | {"asked": asked, "delivered": before}
        tell = self._teller("simplify", "Making quads", self._settings.budget_s)
        wanted = asked or max(before // 2, 1)
        try:
            remeshed = remesh_to_quads(self._mesh, wanted, tell, self._settings.budget_s)
        except (_TooLong, OmagenError) as error:
            if isinstance(error, OmagenError) and error.code is ErrorCode.CANCELLED:
                raise
            why = error.message if isinstance(error, OmagenError) else "Making quads took too long."
            self._progress.warn(f"{why} The result has triangles instead of quads.")
            counts = self._decimated(2 * wanted) if before > 2 * wanted else self._checked_count(before)
            return counts | {"state": "fallback", "why": why}
        worn = () if self._bakes else self._worn_by_new_faces()
        self._mesh, self._is_reshaped = replace(remeshed, materials=worn), True
        return {"state": "done"} | self._checked_count(wanted) | {"before": before}

    def _worn_by_new_faces(self) -> tuple[Material, ...]:
        """The material of most faces, without textures: these lie on UVs that new faces do not have."""
        mesh = self._mesh
        if not mesh.materials:
            return ()
        index = np.zeros(len(mesh.faces), np.int64) if mesh.material_index is None else mesh.material_index
        material = mesh.materials[int(np.bincount(index).argmax())]
        textures = {name: None for name, value in vars(material).items() if isinstance(value, Texture)}
        if textures or len(np.unique(index)) > 1:
            self._progress.warn("New faces wear one material without textures. Choose to bake, and they show them all.")
        return (replace(material, **textures),)

    def _unwrap(self) -> dict[str, Any]:
        from omagen.geometry.texture_layout import unwrap, uv_faults, with_uv

        settings = self._settings
        if settings.unwrap == "keep":
            return _skipped("the UVs are kept")
        tell, faults = self._stage("unwrap"), ()
        tell("Looking at the UVs", 0.0)
        if settings.unwrap == "auto" and self._mesh.uv is not None:
            faults = uv_faults(self._mesh)
            if not faults:
                return _skipped("the UVs are a sound layout")
        made = unwrap(self._mesh, settings.texture, tell, settings.budget_s / 3)
        self._is_unwrapped = True
        if self._bakes:
            self._mesh = replace(self._mesh, uv=made.uv, second_uv=None)
        else:
            self._mesh, has_kept = with_uv(self._mesh, made.uv)
            if not has_kept:
                self._progress.warn("The textures are dropped, because the mesh has new UVs and nothing is baked.")
        if made.report["packing"] == "grid":
            why = "there are so many charts that they lie in a grid"
            self._progress.warn(f"The mesh falls into {made.report['charts']:,} pieces, too many to pack them tightly.")
            return {"state": "fallback", "why": why} | made.report
        return {"state": "done", "faults": list(faults)} | made.report

    def _bake(self) -> dict[str, Any]:
        from omagen.finish.needed_maps import needed_maps

        size = self._settings.texture
        if not self._bakes:
            self._mesh = self._without_lost_textures()
            return _skipped("not asked for")
        maps = self._settings.maps
        if maps is None:
            if not self._is_reshaped and not self._is_unwrapped and self._mesh.colors is None:
                return _skipped("shape and UVs are as they were, and so are the textures")
            maps = needed_maps(self._source, is_reshaped=self._is_reshaped)
        if not maps:
            return _skipped("the surface looks the same everywhere")
        from omagen.bake import bake

        try:
            self._mesh = bake(self._mesh, self._source, size, maps, self._stage("bake"))
        except OmagenError as error:
            if error.code in (ErrorCode.CANCELLED, ErrorCode.MEMORY):
                raise
            self._mesh = self._without_lost_textures()
            self._progress.warn(f"There are no new textures. {error.message}")
            return {"state": "fallback", "why": error.message}
        found = [
            t.pixels.shape[1::-1] for m in self._mesh.materials for t in (m.base_color_texture, m.normal_texture) if t
        ]
        delivered = int(max(max(shape) for shape in found)) if found else 0
        if found and delivered != size:
            self._progress.warn(f"The textures have {delivered:,} pixels a side; {size:,} were asked for.")
        return {"state": "done", "asked": size, "delivered": delivered, "maps": sorted(maps)}

    def _without_lost_textures(self) -> Mesh:
        """Without UVs of its own any more, a mesh has no use for textures."""
        if (
            not self._is_reshaped
            or not self._is_unwrapped
            or self._given.uv is None
            or self._mesh.second_uv is not None
        ):
            return self._mesh
        from omagen.geometry.texture_layout import without_textures

        return without_textures(self._mesh)

    def _stage(self, name: str) -> Callable[[str, float], None]:
        low, high = SHARES[name]
        return lambda stage, share: self._progress(stage, low + (high - low) * share)

    def _teller(self, name: str, title: str, patience_s: float) -> Callable[[float], None]:
        """Tells how far a stage is, and ends it when it has had its time."""
        end = time.monotonic() + patience_s
        tell = self._stage(name)

        def report(share: float) -> None:
            tell(title, share)
            if time.monotonic() > end:
                raise _TooLong

        report(0.0)
        return report


def _skipped(why: str) -> dict[str, Any]:
    return {"state": "skipped", "why": why}
