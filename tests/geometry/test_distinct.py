"""Equal rows are found, also should two different ones share a hash."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from omagen.geometry import distinct
from omagen.geometry.distinct import distinct_rows

TABLES = arrays.arrays(
    np.float32, st.tuples(st.integers(0, 40), st.integers(1, 3)), elements=st.sampled_from([0.0, -0.0, 1.0, 2.5])
)


def _assert_right(table: np.ndarray) -> None:
    first, inverse = distinct_rows(table)
    assert np.array_equal(table[first][inverse], table)
    assert len(first) == len({tuple(row) for row in (table + 0).tolist()})
    assert (np.diff(first) > 0).all() and (first[inverse] <= np.arange(len(table))).all()


@given(TABLES)
def test_every_row_is_found_at_its_first_occurrence(table: np.ndarray) -> None:
    _assert_right(table)


@given(TABLES)
def test_rows_that_share_a_hash_stay_apart(table: np.ndarray) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(distinct, "_hashed", lambda bits: np.zeros(len(bits), np.uint64))
        _assert_right(table)
