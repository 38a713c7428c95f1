"""omage.json from hands that are clumsy or ill-meaning."""

from __future__ import annotations

import json
import tracemalloc

import pytest
from omagen.omage_layout import MAX_HEADER_BYTES, Header
from omagen.protocol import ErrorCode, OmagenError


def refusal(data: bytes) -> str:
    with pytest.raises(OmagenError) as caught:
        Header.decoded(data)
    assert caught.value.code is ErrorCode.INPUT and caught.value.remedy
    return caught.value.message


def test_the_mark_that_some_editors_put_first_is_read_over() -> None:
    header = Header(64, name="chair")
    assert Header.decoded(b"\xef\xbb\xbf" + header.encoded()) == header


@pytest.mark.parametrize("values", ["{},", "[],", "1,", '"",'])
def test_a_header_of_millions_of_values_costs_no_memory(values: str) -> None:
    start = '{"format": "omage", "version": 1, "resolution": 64, "centre": ['
    data = (start + values * (20_000_000 // len(values)) + "1]}").encode()
    assert len(data) < MAX_HEADER_BYTES
    tracemalloc.start()
    refusal(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000


def test_long_side_data_are_read_all_the_same() -> None:
    header = Header(64, charts="A" * 8_000_000, seams="B" * 8_000_000)
    assert Header.decoded(header.encoded()) == header


@pytest.mark.parametrize("version", [2, 0, "1", True, None, [1], 1.5])
def test_other_versions_are_refused_and_named(version: object) -> None:
    data = json.dumps(Header(64).to_json() | {"version": version}).encode()
    assert f"format version {json.dumps(version)};" in refusal(data)
