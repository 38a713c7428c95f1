"""The files of an omage: header and archive, as both sides of the add-on read them."""

from __future__ import annotations

import io
import json
import zipfile
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from omagen import omage_layout
from omagen.omage_layout import GEOMETRY_FILE, HEADER_FILE, Header
from omagen.protocol import OmagenError

finite = st.floats(-1e6, 1e6)
headers = st.builds(
    Header,
    resolution=st.integers(32, 4096),
    name=st.text(st.characters(exclude_categories=["Cs"]), max_size=200),
    centre=st.tuples(finite, finite, finite),
    scale=st.floats(1e-6, 1e6),
    alpha_mode=st.sampled_from(omage_layout.ALPHA_MODES),
    alpha_cutoff=st.floats(0, 1),
    double_sided=st.booleans(),
    emission_strength=st.floats(0, 1e6),
    charts=st.sampled_from(["", "eJw="]),
)


def archive(files: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as file:
        for name, data in files.items():
            file.writestr(name, data)
    return buffer.getvalue()


def content(**changes: object) -> bytes:
    return json.dumps(Header(resolution=64).to_json() | changes).encode()


@given(headers)
def test_a_header_survives_its_file(header: Header) -> None:
    assert Header.decoded(header.encoded()) == header


def test_a_header_that_names_only_what_it_must_has_defaults() -> None:
    data = json.dumps({"format": "omage", "version": 1, "resolution": 256}).encode()
    assert Header.decoded(data) == Header(resolution=256)


@pytest.mark.parametrize("version", [0, 2, 1.5, "1", True, None])
def test_another_version_is_refused_with_a_remedy(version: object) -> None:
    with pytest.raises(OmagenError, match="version") as refusal:
        Header.decoded(content(version=version))
    assert refusal.value.remedy


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("resolution", 31),
        ("resolution", 4097),
        ("resolution", 64.0),
        ("resolution", True),
        ("name", 5),
        ("name", "x" * 201),
        ("name", "\ud800"),
        ("centre", [0, 0]),
        ("centre", [0, 0, float("nan")]),
        ("centre", "000"),
        ("scale", 0),
        ("scale", float("inf")),
        ("scale", 10**400),
        ("alpha_mode", "GLASS"),
        ("alpha_mode", []),
        ("alpha_cutoff", 2),
        ("double_sided", 1),
        ("emission_strength", -1),
        ("charts", 7),
        ("seams", "ü"),
        ("frame", "+Y up"),
        ("colour", "red"),
    ],
)
def test_a_field_that_cannot_be_is_named(field: str, value: object) -> None:
    with pytest.raises(OmagenError, match=field):
        Header.decoded(content(**{field: value}))


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"a":1}', b"[" * 100_000])
def test_what_is_no_header_is_refused(data: bytes) -> None:
    with pytest.raises(OmagenError):
        Header.decoded(data)


def test_an_archive_gives_back_its_files_and_the_same_bytes_each_time() -> None:
    files = {HEADER_FILE: content(), GEOMETRY_FILE: b"picture"}
    packed = omage_layout.pack(files)
    assert omage_layout.unpack(packed) == files
    assert omage_layout.pack(dict(reversed(files.items()))) == packed


def test_an_archive_made_by_hand_may_be_compressed_and_hold_other_files() -> None:
    data = archive({GEOMETRY_FILE: b"picture", "notes.txt": b"mine"}, zipfile.ZIP_DEFLATED)
    assert omage_layout.unpack(data) == {GEOMETRY_FILE: b"picture"}


@pytest.mark.parametrize(
    "name", ["../geometry.png", "/geometry.png", "cup/geometry.png", "..\\x", "c:x", "..", "x" * 101]
)
def test_a_name_that_is_no_plain_file_name_is_refused(name: str) -> None:
    with pytest.raises(OmagenError, match="plain file name"):
        omage_layout.unpack(archive({GEOMETRY_FILE: b"picture", name: b"x"}))


@pytest.mark.parametrize("second", [GEOMETRY_FILE, GEOMETRY_FILE.upper()])
def test_a_file_that_is_there_twice_is_refused(second: str) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file, pytest.warns() if second == GEOMETRY_FILE else io.BytesIO():
        file.writestr(GEOMETRY_FILE, b"one")
        file.writestr(second, b"two")
    with pytest.raises(OmagenError, match="twice"):
        omage_layout.unpack(buffer.getvalue())


def test_an_archive_without_geometry_is_refused() -> None:
    with pytest.raises(OmagenError, match=GEOMETRY_FILE):
        omage_layout.unpack(archive({HEADER_FILE: content()}))


def test_an_archive_that_unpacks_to_too_much_is_refused_unread() -> None:
    bomb = archive({GEOMETRY_FILE: bytes(omage_layout.MAX_PICTURE_BYTES + 1)}, zipfile.ZIP_DEFLATED)
    assert len(bomb) < 2**20
    with pytest.raises(OmagenError, match="too large"):
        omage_layout.unpack(bomb)


@pytest.mark.parametrize("comment", [b"", b"a comment", b"PK\5\6"])
def test_an_archive_of_very_many_files_is_refused_unlisted(comment: bytes) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr(GEOMETRY_FILE, b"picture")
        file.comment = comment
    data = bytearray(buffer.getvalue())
    end = data.index(b"PK\5\6")
    data[end + 12 : end + 16] = (2**27).to_bytes(4, "little")
    with pytest.raises(OmagenError, match=r"too many files|damaged"):
        omage_layout.unpack(bytes(data))


def test_an_archive_with_a_comment_is_read() -> None:
    buffer = io.BytesIO(omage_layout.pack({GEOMETRY_FILE: b"picture"}))
    with zipfile.ZipFile(buffer, "a") as file:
        file.comment = b"from a friend"
    assert omage_layout.unpack(buffer.getvalue()) == {GEOMETRY_FILE: b"picture"}


def test_an_archive_that_lies_about_its_sizes_is_refused() -> None:
    data = bytearray(archive({GEOMETRY_FILE: bytes(100_000)}, zipfile.ZIP_DEFLATED))
    directory = data.rindex(b"PK\x01\x02")
    data[directory + 24 : directory + 28] = (1000).to_bytes(4, "little")
    with pytest.raises(OmagenError, match="damaged"):
        omage_layout.unpack(bytes(data))


@given(st.data())
def test_a_damaged_archive_is_read_or_refused(data: st.DataObject) -> None:
    packed = bytearray(omage_layout.pack({HEADER_FILE: content(), GEOMETRY_FILE: b"picture" * 9}))
    for _ in range(data.draw(st.integers(1, 4))):
        packed[data.draw(st.integers(0, len(packed) - 1))] = data.draw(st.integers(0, 255))
    with suppress(OmagenError):
        assert GEOMETRY_FILE in omage_layout.unpack(bytes(packed[: data.draw(st.integers(0, len(packed)))]))
