"""Which of what is too much is removed: random trees, patterns and places that stay."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from producer.restore.planning.selection import Selection
from producer.restore.planning.surplus import SurplusTree
from tasks.orders.target_looks import Surplus

names = st.sampled_from(["a", "b", "c.tmp", "d.txt"])
paths = st.lists(names, min_size=1, max_size=4).map("/".join)
patterns = st.lists(st.sampled_from(["*.tmp", "*.txt", "/s/a/", "b", "a/b"]), max_size=2).map(tuple)


def kinds_of(files: set[str], fixed: set[str]) -> dict[str, Surplus]:
    """The tree with these leaves: no file is also a folder."""
    folders = {path[:at] for path in files | fixed for at, letter in enumerate(path) if letter == "/"}
    found = {path: Surplus(path=path, kind="file") for path in files - folders}
    found |= {path: Surplus(path=path, kind="fixed") for path in fixed - folders}
    return found | {path: Surplus(path=path, kind="directory") for path in folders}


def looked_through(tree: SurplusTree, there: dict[str, Surplus]) -> None:
    """As the search does: level by level, and only where it is told to look."""
    pending = [""]
    while pending:
        above = pending.pop()
        pending += tree.add(found for path, found in there.items() if path.rpartition("/")[0] == above)


@given(st.sets(paths, max_size=8), st.sets(paths, max_size=2), patterns, patterns, st.sets(paths, max_size=1))
def test_nothing_goes_that_stays_or_holds_what_stays(
    files: set[str], fixed: set[str], include: tuple[str, ...], exclude: tuple[str, ...], kept: set[str]
) -> None:
    there = kinds_of(files, fixed)
    selection = Selection.of("s", include, exclude)
    tree = SurplusTree(selection=selection, kept=tuple(kept))
    looked_through(tree, there)
    removed = [path for path, _ in tree.removable()]

    left = there.keys() - set(removed)
    for place, path in enumerate(removed):
        is_directory = there[path].kind == "directory"
        assert there[path].kind != "fixed"
        assert selection.includes(f"s/{path}", is_directory)
        assert not selection.excludes(f"s/{path}", is_directory)
        assert not any(path == one or path.startswith(f"{one}/") for one in kept)
        assert not any(other.startswith(f"{path}/") for other in left)
        assert not any(other.startswith(f"{path}/") for other in removed[place + 1 :])


@given(st.sets(paths, max_size=8))
def test_without_patterns_all_of_it_goes(files: set[str]) -> None:
    there = kinds_of(files, set())
    tree = SurplusTree(selection=Selection.of("", (), ()))
    looked_through(tree, there)
    assert {path for path, _ in tree.removable()} == there.keys()
