"""What becomes of several materials in the one material of an omage."""

from __future__ import annotations

import numpy as np
import pytest
from omagen.omage.encode import encode
from omagen.shapes import Material, Mesh
from sample_meshes import cube


def sided(*materials: Material) -> Mesh:
    """A cube whose twelve faces take the materials in turn, two faces each."""
    index = (np.arange(12) // 2 % len(materials)).astype(np.int32)
    return cube(materials=materials, material_index=index)


def clear(mode: str, alpha: float, cutoff: float = 0.5) -> Material:
    return Material(base_color=(1, 1, 1, alpha), alpha_mode=mode, alpha_cutoff=cutoff)  # type: ignore[arg-type]


def test_opaque_materials_give_no_opacity():
    omage, _ = encode(sided(Material(), Material(metallic=1)), 64)
    assert omage.opacity is None and omage.alpha_mode == "OPAQUE"


def test_masks_with_different_cut_offs_keep_their_sides_of_one():
    omage, _ = encode(sided(clear("MASK", 0.4, 0.3), clear("MASK", 0.4, 0.6)), 64)
    assert omage.alpha_mode == "MASK" and omage.alpha_cutoff == 0.5
    assert omage.opacity is not None
    share = (omage.opacity[omage.occupancy] >= 0.5).mean()
    assert 0.4 < share < 0.6


def test_where_anything_blends_masks_are_opaque_or_clear():
    omage, _ = encode(sided(clear("BLEND", 0.25), clear("MASK", 0.4, 0.3), clear("MASK", 0.4, 0.6)), 64)
    assert omage.alpha_mode == "BLEND"
    assert omage.opacity is not None
    assert {round(float(v), 2) for v in np.unique(omage.opacity[omage.occupancy])} == {0.0, 0.25, 1.0}


@pytest.mark.parametrize("resolution", [31, 4097])
def test_a_resolution_out_of_range_is_refused(resolution):
    with pytest.raises(Exception, match=f"{resolution}"):
        encode(cube(), resolution)
