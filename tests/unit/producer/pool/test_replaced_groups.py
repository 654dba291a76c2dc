"""Which objects may give way though they share parity, and which groups go with them."""

from __future__ import annotations

from producer.catalog.tables.objects import StoredObject
from producer.catalog.tables.parity import ParityGroup, ParityMember, ParityRow
from producer.pool.copies import CopyTarget
from producer.pool.parity.regrouping import plan_regrouping, superseded
from producer.pool.parity.replacing import settle


def group(name: str, members: str, *, rows: str = "d", is_written: bool = True) -> ParityGroup:
    """``members``: objects; ``rows``: devices."""
    return ParityGroup(
        group_id=name,
        members=tuple(
            ParityMember(object_id=one, segment_id=one, bytes_stored=1, trailer_digest=b"") for one in members.split()
        ),
        rows=tuple(ParityRow(device_id=one, digest=b"x" if is_written else None) for one in rows),
    )


def settled(groups: list[ParityGroup], replaced_by: dict[str, str], *, living: str = "x y z") -> tuple[str, str]:
    """The objects that may give way, and the groups that go.  X, Y and Z are new objects."""
    found = settle(
        groups,
        replaced_by,
        new_objects={"X", "Y", "Z"},
        new_groups={one.group_id for one in groups if one.group_id.startswith("new")},
        living=living.split(),
    )
    return " ".join(sorted(found.objects)), " ".join(one.group_id for one in found.groups)


def test_an_object_gives_way_once_all_that_is_needed_of_its_groups_has_parity_in_new_ones() -> None:
    old = group("old", "x y z")

    assert settled([old, group("new", "X y z")], {"x": "X"}) == ("x", "old")
    assert settled([old, group("new", "X y")], {"x": "X"}) == ("", "new")
    assert settled([old, group("new", "X y")], {"x": "X"}, living="x y") == ("x", "old")
    assert settled([old, group("new-1", "X y"), group("new-2", "z")], {"x": "X"}) == ("x", "old")
    assert settled([old, group("new", "X y z", is_written=False)], {"x": "X"}) == ("", "new")


def test_one_of_which_nothing_is_needed_gives_way_without_another() -> None:
    assert settled([group("old", "x y z"), group("new", "y z")], {"x": ""}) == ("x", "old")
    assert settled([group("old", "x y z"), group("new", "y z", is_written=False)], {"x": ""}) == ("", "new")


def test_what_does_not_give_way_keeps_the_others_of_its_groups() -> None:
    olds = [group("old-1", "x y"), group("old-2", "y z"), group("old-3", "w")]
    news = [group("new-1", "X Y"), group("new-2", "Z"), group("new-3", "W")]

    assert settled(olds + news, {"x": "X", "y": "Y", "z": "Z"}) == ("x y z", "old-1 old-2")
    # Y was not to be had: then x stays, whose new group needs it, and z, that shares a group with y.
    assert settled(olds + news, {"x": "X", "z": "Z"}) == ("", "new-1 new-2")


def test_one_without_parity_gives_way_anyway() -> None:
    assert settled([group("old", "y z")], {"x": "X"}) == ("x", "")


def test_a_group_whose_needed_members_are_all_in_other_whole_ones_is_superseded() -> None:
    def found(groups: list[ParityGroup], *, devices: str = "abcd") -> list[str]:
        living = {one: [stored(one)] for one in ("a1", "b1", "c1")}
        return [one.group_id for one in superseded(groups, living, devices)]

    wide = group("wide", "a1 b1 c1")
    assert found([wide, group("half", "gone a1 b1")]) == ["half"]
    assert found([wide, group("small", "a1", rows="b")]) == ["small"]
    assert found([wide, group("twin", "a1 b1 c1")]) == ["twin"]
    assert found([wide]) == []
    # The others do not count: fewer rows, one that is not written, a device that is away, two files on one device.
    assert found([wide, group("two", "a1 b1", rows="cd")]) == []
    assert found([group("wide", "a1 b1 c1", is_written=False), group("small", "a1", rows="b")]) == []
    assert found([wide, group("small", "a1", rows="b")], devices="ab") == []
    assert found([group("wide", "a1 b1 c1", rows="a"), group("half", "gone a1 b1")]) == []


def stored(object_id: str) -> StoredObject:
    """On the device of its first letter."""
    return StoredObject(
        object_id=object_id,
        segment_id=object_id,
        device_id=object_id[0],
        device=object_id[0],
        snapshot_id="",
        size_bytes=1,
        bytes_stored=1,
        trailer_digest=b"",
    )


def test_in_a_full_pool_a_part_of_the_groups_is_made_anew_what_is_dead_first() -> None:
    """Each of six objects has a row of its own; three can share one, on d."""
    names = ["a1", "b1", "c1", "a2", "b2", "c2"]
    living = {name: [stored(name)] for name in names}
    groups = [group(f"old-{number}", name) for number, name in enumerate(names[:5])] + [group("old-5", "c2 dead")]

    def planned(room_bytes: int) -> tuple[int, str]:
        rooms = {"a": 0, "b": 0, "c": 0, "d": room_bytes}
        targets = [CopyTarget(name=name, device_id=name, load_bytes=0, room_bytes=room) for name, room in rooms.items()]
        plan = plan_regrouping(groups, living, targets, rows_count=1)
        return len(plan.new), " ".join(one.group_id for one in plan.replaced)

    assert planned(2) == (2, "old-5 old-0 old-1 old-2 old-3 old-4")
    assert planned(1) == (1, "old-5 old-0 old-1")
    assert planned(0) == (0, "")


def test_in_a_full_pool_two_groups_on_different_devices_are_found_among_an_odd_number() -> None:
    """Four devices with room for one row each, and two rows for each of four objects, of which two lie on a."""
    names = ["a1", "a2", "b1", "b2"]
    living = {name: [stored(name)] for name in names}
    groups = [group(f"old-{name}", name, rows="xy") for name in names]

    def replaced(count: int) -> str:
        targets = [CopyTarget(name=name, device_id=name, load_bytes=0, room_bytes=1) for name in "abcd"]
        plan = plan_regrouping(groups[:count], living, targets, rows_count=2)
        return " ".join(sorted(one.group_id for one in plan.replaced))

    assert replaced(4) == "old-a1 old-b1"
    assert replaced(3) == "old-a1 old-b1"
    assert replaced(2) == ""
