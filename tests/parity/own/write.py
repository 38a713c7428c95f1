"""Writes the fixtures in this folder. Every expected number below was worked out by hand from the published rules.

Run from the repository: `python tests/parity/own/write.py`.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

FOLDER = Path(__file__).parent


def write(name: str, network: str, config: dict[str, int], **tensors: np.ndarray) -> None:
    metadata = {"system": "omages", "network": network, "config": json.dumps(config), "notes": "worked out by hand"}
    named = {key.replace("__", "."): np.ascontiguousarray(value) for key, value in tensors.items()}
    save_file(named, FOLDER / f"{name}.safetensors", metadata)


def decode_square() -> None:
    """A 4 x 4 picture with one chart of 2 x 2 pixels in its middle: four vertices, two triangles, one diagonal.

    The chart lies in the plane z = 0 and its normals point to -z, so both triangles are turned when normals count.
    """
    omage = np.zeros((4, 4, 12))
    for row, column in ((1, 1), (1, 2), (2, 1), (2, 2)):
        # position (p + 1) / 2 of p = (column - 1.5, row - 1.5, 0), occupied, normal (0, 0, -1), colour, metal, rough
        omage[row, column] = ((column - 0.5) / 2, (row - 0.5) / 2, 0.5, 1, 0.5, 0.5, 0, 1, 0.5, 0.25, 0.75, 0.125)
    vertices = np.array([[-0.5, -0.5, 0], [0.5, -0.5, 0], [-0.5, 0.5, 0], [0.5, 0.5, 0]])
    uv = np.array([[1, 1], [2, 1], [1, 2], [2, 2]]) / 3
    native = np.array([[0, 1, 2], [3, 2, 1]])  # pixel, right, up; then pixel, left, down
    turned = native[:, [0, 2, 1]]
    write(
        "decode_square",
        "meshing_objamage",
        {"H": 4},
        input__omage=omage.astype(np.float32),
        output__full_vert=vertices,
        output__full_face=turned,
        output__full_uv=uv,
        output__full_color=np.tile([1, 0.5, 0.25], (4, 1)),
        output__full_metal=np.full((4, 1), 0.75),
        output__full_segmentation=np.ones((4, 1), np.int32),
        output__geo4_face=turned,  # without normals they count as (-1, -1, -1)
        output__nonormal_face=native,
        output__nonormal_raw_face=np.array([[5, 6, 9], [10, 9, 6]]),
        output__nonormal_uv=uv,
        output__nonormal_vert=vertices,
    )


def downsample_block() -> None:
    """6 x 6 pixels, all occupied but the last two columns, reduced by 2; red is the row, green the column, of six.

    Edge pixels: rows 0 and 5, columns 0 and 3. Of the nine cells only those of the empty columns hold none.
    """
    row, column = np.mgrid[:6, :6]
    omage = np.zeros((6, 6, 4))
    omage[..., 0], omage[..., 1], omage[..., 3] = row / 6, column / 6, column < 4
    omage[column >= 4] = 0
    edge = (column < 4) & ((row % 5 == 0) | (column == 0) | (column == 3))
    # Mean row and column of the edge pixels of each cell: three of four in the corners, two in the middle row.
    rows = np.array([[1 / 3, 1 / 3], [2.5, 2.5], [14 / 3, 14 / 3]])
    columns = np.array([[1 / 3, 8 / 3], [0, 3], [1 / 3, 8 / 3]])
    snapped = np.zeros((3, 3, 4))
    snapped[:, :2, 0], snapped[:, :2, 1], snapped[:, :2, 3] = rows / 6, columns / 6, 1
    cells = np.array([[1, 1, 0]] * 3)
    write(
        "downsample_block",
        "downsample_omg",
        {"H": 6, "factor": 2},
        input__omage=omage.astype(np.float32),
        output__omg_down_star=snapped,
        output__omg_down=omage[1::2, 1::2],
        output__edge_occ=edge.astype(np.uint8),
        output__edge_occ_down=cells.astype(np.uint8),
        output__sov=cells.astype(np.float64),
        output__nearest_row=np.array([1, 3, 5]),
    )


if __name__ == "__main__":
    decode_square()
    downsample_block()
