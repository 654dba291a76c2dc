"""Strategies for trees of random names, kinds, attributes and modes."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import strategies as st

from kit.tree import Device, Entry, Fifo, File, Folder, HardLink, SparseFile, Symlink, Tree, noise

#: With the name of the source, shorter than the longest path.
_MAX_PATH_BYTES = 3000
_YEAR_S = 31_556_952

_names = st.one_of(
    st.binary(min_size=1, max_size=255),
    st.text(min_size=1, max_size=40).map(lambda text: text.encode("utf-8", "surrogatepass")[:255]),
    st.sampled_from([b"a", b"b", b"-rf", b" ", b"\n", b"...", b"*", b"core"]),
).filter(lambda name: not {0, 47} & set(name) and name not in (b".", b".."))
#: Years -1199 to 30828, in nanoseconds.
_times_ns = st.one_of(
    st.integers(-3169 * _YEAR_S * 10**9, 28858 * _YEAR_S * 10**9),
    st.integers(-3, 3),
    st.just(1_600_000_000_123_456_789),
)
_contents = st.one_of(
    st.binary(max_size=300),
    st.builds(noise, st.integers(0, 70_000), st.integers(0, 9)),
    st.builds(noise, st.integers(250_000, 700_000), st.integers(0, 9)),
    st.integers(0, 300_000).map(bytes),
)
_targets = st.binary(min_size=1, max_size=400).filter(lambda target: 0 not in target)


def _attributes(*spaces: str) -> st.SearchStrategy[dict[str, bytes]]:
    names = st.builds(
        lambda space, name: f"{space}.{name}",
        st.sampled_from(spaces),
        st.text(st.characters(min_codepoint=33, max_codepoint=0x2FFF), min_size=1, max_size=30),
    )
    values = st.one_of(st.binary(max_size=100), st.integers(1000, 20_000).map(noise))
    return st.one_of(st.just({}), st.just({}), st.just({}), st.dictionaries(names, values, max_size=4))


def _entries(*, as_root: bool) -> st.SearchStrategy[Entry]:
    common = {
        "mtime_ns": _times_ns,
        "owner": st.sampled_from([None, (0, 0), (1234, 5), (2**32 - 2, 1)]) if as_root else st.none(),
    }
    attributes = _attributes("user", "trusted", "security") if as_root else _attributes("user")
    flags = st.sampled_from(["", "", "", "d", "i", "a", "ai"] if as_root else ["", "", "d"])
    # A user must be able to read what is backed up.
    modes = st.integers(0, 0o7777).map(lambda mode: mode if as_root else mode | 0o500)
    files = st.builds(File, _contents, modes, flags, attributes=attributes, **common)
    islands = st.dictionaries(st.integers(0, 500_000), st.binary(min_size=1, max_size=5000), max_size=3)
    kinds = [
        files,
        files,
        files,
        st.builds(SparseFile, st.integers(505_000, 900_000), islands, modes, **common),
        st.builds(Folder, modes, flags, attributes=attributes, **common),
        st.builds(Folder, modes, st.just(""), **common),
        st.builds(Symlink, _targets, **common),
        st.builds(Fifo, modes, **common),
    ]
    if as_root:
        numbers = (st.integers(0, 4095), st.integers(0, 2**20 - 1))
        kinds.append(st.builds(Device, st.sampled_from(["character", "block"]), *numbers, modes, **common))
    return st.one_of(*kinds)


@st.composite
def random_trees(
    draw: Callable[[st.SearchStrategy[object]], object], *, as_root: bool, entries_count: int = 80
) -> Tree:
    """Trees of nearly ``entries_count`` entries."""
    places = st.tuples(st.integers(0, 1000), _names, st.integers(0, 9))
    drawn = draw(st.lists(st.tuples(places, _entries(as_root=as_root)), min_size=entries_count, max_size=entries_count))
    tree: dict[bytes, Entry] = {}
    folders: list[bytes] = [b""]
    files: list[bytes] = []
    assert isinstance(drawn, list)
    for (parent, name, chance), entry in drawn:
        path = folders[parent % len(folders)] + name
        if path in tree or len(path) > _MAX_PATH_BYTES:
            continue
        if files and chance == 0:
            tree[path] = HardLink(files[parent % len(files)])
            continue
        tree[path] = entry
        if isinstance(entry, Folder):
            folders.append(path + b"/")
        elif isinstance(entry, File | SparseFile):
            files.append(path)
    return Tree(tree)
