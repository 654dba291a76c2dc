"""What the walk says of extended attributes, flags, births and owners."""

from __future__ import annotations

import os
import pwd
from base64 import b64decode
from pathlib import Path

import pytest

from kit.needs import need
from producer.listing import decode_part
from producer.listing.entry import Entry
from producer.observer import Trouble
from producer.requests import Exclusions, Source
from producer.walk import Walk, attributes
from producer.walk.found import BATCH_MORE_BYTES


def walked(root: Path, troubles: list[Trouble], exclusions: Exclusions) -> tuple[Walk, list[Entry], int]:
    """The walk, its entries, and in how many batches they came."""
    walk = Walk(
        [Source(name="src", path=root)], exclusions, on_trouble=troubles.append, on_progress=lambda files, size: None
    )
    batches = [batch for part in walk.parts() for batch in decode_part(part.data)]
    return walk, [entry for batch in batches for entry in batch], len(batches)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    made = tmp_path / "src"
    made.mkdir()
    for name in ("a", "b", "c"):
        (made / name).write_bytes(b"x")
    try:
        os.setxattr(made, "user.root", b"\0")
        os.setxattr(made / "a", "user.mine", b"\xff\0")
        os.setxattr(made / "b", "user.mine", b"\xff\0")
    except OSError as error:
        need(False, f"no extended attributes in temporary files: {error}")
    return made


def of(entries: list[Entry]) -> dict[str, dict[str, bytes]]:
    return {entry.path: {name: b64decode(value) for name, value in entry.attributes.items()} for entry in entries}


def test_attributes_come_with_the_entries_that_have_them(root: Path) -> None:
    troubles: list[Trouble] = []
    _, entries, _ = walked(root, troubles, Exclusions())
    mine = {"user.mine": b"\xff\0"}
    assert of(entries) == {"": {"user.root": b"\0"}, "a": mine, "b": mine, "c": {}}
    assert troubles == []
    assert all(entry.birth_ns is None or entry.birth_ns > 10**18 for entry in entries)


def test_without_xattrs_nobody_is_asked_for_them(root: Path) -> None:
    _, entries, _ = walked(root, [], Exclusions(attributes=True))
    assert not any(of(entries).values())


def test_entries_that_share_their_attributes_fill_no_batch(root: Path) -> None:
    value = b"v" * 60_000 if _takes(root, 60_000) else b"v" * 3000
    for number in range(2 * BATCH_MORE_BYTES // len(value)):
        (root / f"n{number}").write_bytes(b"")
        os.setxattr(root / f"n{number}", "user.big", value)
    _, entries, batches_count = walked(root, [], Exclusions())
    assert batches_count == 2, "the source itself, and the entries of its one folder"
    assert sum(entry.attributes != {} for entry in entries) > 3


def _takes(root: Path, size_bytes: int) -> bool:
    try:
        os.setxattr(root / "c", "user.big", b"v" * size_bytes)
        os.removexattr(root / "c", "user.big")
    except OSError:
        return False
    return True


def test_attributes_that_are_too_large_are_a_trouble_and_the_entry_is_kept(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attributes, "MAX_ATTRIBUTES_BYTES", 5)
    troubles: list[Trouble] = []
    _, entries, _ = walked(root, troubles, Exclusions())
    assert [entry.path for entry in entries] == ["", "a", "b", "c"]
    assert [(trouble.code, Path(trouble.path).name) for trouble in troubles] == [
        ("attributes", "src"),
        ("attributes", "a"),
        ("attributes", "b"),
    ]


def test_the_owners_that_have_a_name_are_named(root: Path) -> None:
    walk, _, _ = walked(root, [], Exclusions())
    assert walk.owners.names().users == {str(os.geteuid()): pwd.getpwuid(os.geteuid()).pw_name}
