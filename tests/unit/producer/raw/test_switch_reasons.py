"""Which mounts can be read raw, by what the kernel says of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from kit.program.commands import all_commands
from producer.raw import mounts, switch
from producer.raw.agents import refuse_what_agents_cannot_find
from producer.raw.mounts import holders_of, parse_mounts
from producer.requests import BackupRequest, Exclusions, PlanOptions, Source
from tasks.errors import UsageError

MOUNTINFO = r"""
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw,errors=remount-ro
30 22 0:27 / /proc rw,nosuid - proc proc rw
40 22 7:3 / /mnt/with\040blank ro,relatime shared:2 master:1 - xfs /dev/loop3 ro,attr2
41 22 7:4 / /mnt/bound ro - ext4 /dev/loop4 rw
42 22 8:1 /srv/data /mnt/part rw - ext4 /dev/sda1 rw
43 22 0:50 / /mnt/nfs rw - nfs4 host:/export rw
44 22 0:51 / /mnt/btrfs rw - btrfs /dev/sdb rw
45 22 0:52 / /mnt/over rw - overlay overlay rw,lowerdir=/a
46 22 0:53 / /mnt/fuse rw - fuse.gocryptfs /dev/fuse rw
""".strip()


def request(**changes: object) -> BackupRequest:
    values = {
        "sources": (),
        "devices": {},
        "volume": "v",
        "plan": PlanOptions(),
        "exclusions": Exclusions(),
        **changes,
    }
    return BackupRequest(**values)  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def a_machine_with_these_mounts(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = parse_mounts(MOUNTINFO)
    monkeypatch.setattr(mounts, "mounts", lambda: rows)
    monkeypatch.setattr(switch, "mounts", lambda: rows)


def test_names_with_blanks_and_the_file_systems_own_word_on_writing() -> None:
    by_point = {mount.point: mount for mount in parse_mounts(MOUNTINFO)}
    assert by_point["/mnt/with blank"].is_read_only
    # Mounted read-only here, and writable somewhere else.
    assert not by_point["/mnt/bound"].is_read_only
    assert by_point["/"].number == "8:1"


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("/srv", "a folder inside a file system"),
        ("/mnt/part", "only a part of its file system"),
        ("/mnt/nfs", "network file system"),
        ("/mnt/btrfs", "several devices"),
        ("/mnt/over", "no block device of its own"),
        ("/mnt/fuse", "no block device of its own"),
        ("/proc", "no block device"),
    ],
)
def test_what_is_not_the_file_system_of_one_block_device_is_read_file_by_file(path: str, why: str) -> None:
    assert why in switch.why_not_raw(Source(name="s", path=Path(path)), request())


def test_files_are_counted_no_further_than_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        for number in range(5):
            (tmp_path / folder / f"{number}").touch()
    (tmp_path / "link").symlink_to("a/1")
    assert switch.has_more_files_than(tmp_path, 9)
    assert not switch.has_more_files_than(tmp_path, 10)


def test_members_of_raid_or_lvm_are_known_by_their_holders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "8:17/holders/md0").mkdir(parents=True)
    monkeypatch.setattr(mounts, "_SYS", tmp_path)
    monkeypatch.setattr(mounts, "numbers_on", lambda _: {"8:17"})
    assert holders_of(Path("/dev/sdb1")) == ["md0"]
    told: list[str] = []
    monkeypatch.setattr(switch, "holders_of", holders_of)
    switch._warn_about_holders(Path("/dev/sdb1"), told.append)
    assert "part of md0" in told[0]


def test_agents_read_a_source_at_its_own_place_or_not_at_all() -> None:
    folder, device = Path("/srv/data"), Path("/dev/no-device")
    files, raw = Source(name="s", path=folder), Source(name="s", path=device, mode="raw")

    refuse_what_agents_cannot_find(files, files)
    refuse_what_agents_cannot_find(replace(raw, mode="files"), raw)
    with pytest.raises(UsageError, match="cannot be read raw: agents know the folder"):
        refuse_what_agents_cannot_find(files, raw)
    with pytest.raises(UsageError, match="mounted writable on /srv/data"):
        refuse_what_agents_cannot_find(replace(raw, mode="files"), files)


@pytest.mark.parametrize(("count", "lines_count"), [(100_000, 0), (100_001, 1)])
def test_by_default_more_than_100_000_files_are_too_many_to_be_read_one_by_one(
    tmp_path: Path, count: int, lines_count: int
) -> None:
    (option,) = (param for param in all_commands()["backup"].params if param.name == "raw_above")
    source = Source(name="many", path=tmp_path)
    asked = request(sources=(source,), raw_above_count=option.default)

    assert asked == request(sources=(source,))
    assert len([*switch.explain(asked, {"many": count})]) == lines_count
