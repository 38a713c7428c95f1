"""glTF accessors -> numpy arrays: typed, strided, normalised, sparse; ranges checked before anything is allocated."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from omagen.io.gltf_document import Document, broken, integer, typed

COMPONENTS: Final = {5120: np.int8, 5121: np.uint8, 5122: np.int16, 5123: np.uint16, 5125: np.uint32, 5126: np.float32}
WIDTHS: Final = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}
MAX_NUMBERS: Final = 150_000_000
"""That one file may hold in the accessors that are read: 600 MB as float32."""


class Accessors:
    """The accessors of one document, each decoded once."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._decoded: dict[int, np.ndarray] = {}
        self._numbers = 0

    def floats(self, index: Any, *widths: int) -> np.ndarray:
        """(N, width) float32; integers that the file calls normalised become 0 to 1 or -1 to 1."""
        array = self._array(index)
        if array.shape[1] not in widths:
            raise broken(f"accessors[{index}] has {array.shape[1]} components")
        if array.dtype == np.float32:
            return array
        scale = np.float32(1)
        if self._document.entry("accessors", index).get("normalized") is True:
            scale = np.float32(1 / np.iinfo(array.dtype).max)
        return np.maximum(array * scale, -1 if scale != 1 else -np.inf, dtype=np.float32)

    def indices(self, index: Any) -> np.ndarray:
        """(N,) int64, from a scalar accessor of whole numbers."""
        array = self._array(index)
        if array.shape[1] != 1 or array.dtype == np.float32:
            raise broken(f"accessors[{index}] is not a list of indices")
        return array[:, 0].astype(np.int64)

    def _array(self, index: Any) -> np.ndarray:
        """(N, width) in the file's own type."""
        entry = self._document.entry("accessors", index)
        if index not in self._decoded:
            self._decoded[index] = self._decode(entry, f"accessors[{index}]")
        return self._decoded[index]

    def _decode(self, entry: dict[str, Any], what: str) -> np.ndarray:
        width = WIDTHS.get(typed(entry.get("type"), str, f"the type of {what}"))
        if width is None:
            raise broken(f"{what} has the type {entry['type'][:20]!r}")
        count = integer(entry.get("count"), f"the count of {what}")
        self._numbers += count * width
        if self._numbers > MAX_NUMBERS:
            raise broken(f"{what} brings it to more than {MAX_NUMBERS} numbers")
        dtype = _dtype(entry.get("componentType"), what)
        if "bufferView" in entry:
            array = self._strided(entry["bufferView"], entry.get("byteOffset", 0), dtype, count, width)
        elif "sparse" in entry:
            array = np.zeros((count, width), dtype)
        else:
            raise broken(f"{what} has no data")
        return self._with_sparse(array, typed(entry["sparse"], dict, "sparse"), what) if "sparse" in entry else array

    def _with_sparse(self, array: np.ndarray, sparse: dict[str, Any], what: str) -> np.ndarray:
        count = integer(sparse.get("count"), "the count of sparse")
        if count > len(array):
            raise broken(f"{what} replaces more than it has")
        where, values = typed(sparse.get("indices"), dict, "indices"), typed(sparse.get("values"), dict, "values")
        index_type = _dtype(where.get("componentType"), what)
        rows = self._strided(where.get("bufferView"), where.get("byteOffset", 0), index_type, count, 1)[:, 0]
        if count and (index_type == np.float32 or rows.min() < 0 or rows.max() >= len(array)):
            raise broken(f"{what} replaces what it does not have")
        array = array.copy()
        array[rows] = self._strided(
            values.get("bufferView"), values.get("byteOffset", 0), array.dtype, count, array.shape[1]
        )
        return array

    def _strided(self, view: Any, offset: Any, dtype: np.dtype, count: int, width: int) -> np.ndarray:
        data, stride = self._document.view(view)
        start = integer(offset, "byteOffset")
        size = dtype.itemsize * width
        stride = stride or size
        if stride < size or (count and start + stride * (count - 1) + size > len(data)):
            raise broken(f"an accessor reaches beyond bufferViews[{view}]")
        if count == 0:
            return np.zeros((0, width), dtype)
        return np.ndarray((count, width), dtype, data, start, (stride, dtype.itemsize))


def _dtype(code: Any, what: str) -> np.dtype:
    if not isinstance(code, int) or code not in COMPONENTS:
        raise broken(f"{what} has the component type {str(code)[:20]}")
    return np.dtype(COMPONENTS[code]).newbyteorder("<")
