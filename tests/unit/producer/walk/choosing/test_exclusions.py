"""What the walk leaves out, and what it says about patterns that make no sense."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from kit.needs import need, program
from producer.listing import decode_part
from producer.observer import Trouble
from producer.requests import Exclusions, Source
from producer.walk import Walk, read_exclude_file
from tasks.errors import UsageError

SIGNATURE = b"Signature: 8a477f597d28d172789f06886806bc55\n# made by a test\n"


def listed(root: Path, exclusions: Exclusions) -> list[str]:
    troubles: list[Trouble] = []
    walk = Walk(
        [Source(name="src", path=root)], exclusions, on_trouble=troubles.append, on_progress=lambda files, size: None
    )
    paths = [entry.path for part in walk.parts() for batch in decode_part(part.data) for entry in batch]
    assert troubles == []
    return paths


def make(root: Path, files: dict[str, bytes]) -> Path:
    root.mkdir()
    for path, content in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)
    return root


@pytest.mark.parametrize(
    ("patterns", "left"),
    [
        (("*.o",), ["", "a", "build", "keep.c", "a/build", "a/x.c", "a/build/y.c", "build/z.c"]),
        (("build/",), ["", "a", "keep.c", "x.o", "a/x.c", "a/x.o"]),
        (("/build",), ["", "a", "keep.c", "x.o", "a/build", "a/x.c", "a/x.o", "a/build/y.c"]),
        (("a/**/*.c",), ["", "a", "build", "keep.c", "x.o", "a/build", "a/x.o", "build/z.c"]),
        (("*", "!keep.c"), ["", "keep.c"]),
        (("build", "!build/z.c"), ["", "a", "keep.c", "x.o", "a/x.c", "a/x.o"]),
        (("*.o", "!/x.o"), ["", "a", "build", "keep.c", "x.o", "a/build", "a/x.c", "a/build/y.c", "build/z.c"]),
        (
            ("# a comment", ""),
            ["", "a", "build", "keep.c", "x.o", "a/build", "a/x.c", "a/x.o", "a/build/y.c", "build/z.c"],
        ),
    ],
)
def test_patterns_are_those_of_gitignore_relative_to_the_source(
    tmp_path: Path, patterns: tuple[str, ...], left: list[str]
) -> None:
    files = {"a/build/y.c": b"", "a/x.c": b"", "a/x.o": b"", "build/z.c": b"", "keep.c": b"", "x.o": b""}
    assert left == listed(make(tmp_path / "src", files), Exclusions(patterns=patterns))


def test_names_that_are_not_utf8_match_patterns(tmp_path: Path) -> None:
    root = make(tmp_path / "src", {os.fsdecode(b"\xff.tmp"): b"", os.fsdecode(b"\xff.txt"): b""})
    assert listed(root, Exclusions(patterns=("*.tmp",))) == ["", "\udcff.txt"]


def test_a_source_is_never_excluded_itself(tmp_path: Path) -> None:
    root = make(tmp_path / "src", {"CACHEDIR.TAG": SIGNATURE, ".nobackup": b"", "file": b""})
    exclusions = Exclusions(patterns=("src", "/"), caches=True, if_present=(".nobackup",))
    assert listed(root, exclusions) == ["", ".nobackup", "CACHEDIR.TAG", "file"]


def test_of_a_cache_the_directory_and_its_tag_are_kept(tmp_path: Path) -> None:
    root = make(
        tmp_path / "src",
        {
            "cache/CACHEDIR.TAG": SIGNATURE,
            "cache/file": b"",
            "cache/deep/file": b"",
            "unsigned/CACHEDIR.TAG": b"something else",
            "unsigned/file": b"",
        },
    )
    expected = ["", "cache", "unsigned", "cache/CACHEDIR.TAG", "unsigned/CACHEDIR.TAG", "unsigned/file"]
    assert expected == listed(root, Exclusions(caches=True))


def test_a_tag_that_is_a_fifo_does_not_block_the_walk(tmp_path: Path) -> None:
    root = make(tmp_path / "src", {"dir/file": b""})
    os.mkfifo(root / "dir" / "CACHEDIR.TAG")
    assert listed(root, Exclusions(caches=True)) == ["", "dir", "dir/CACHEDIR.TAG", "dir/file"]


def test_a_directory_with_a_mark_is_left_out_wholly(tmp_path: Path) -> None:
    root = make(tmp_path / "src", {"marked/.nobackup": b"", "marked/file": b"", "plain/file": b""})
    assert listed(root, Exclusions(if_present=(".nobackup",))) == ["", "plain", "plain/file"]


def test_a_mount_point_is_kept_as_an_empty_directory() -> None:
    need(os.path.ismount("/dev/pts"), "/dev/pts is no mount point")
    paths = listed(Path("/dev"), Exclusions(one_file_system=True))
    assert "pts" in paths
    assert not [path for path in paths if path.startswith("pts/")]


def test_an_exclude_file_holds_patterns_comments_and_blank_lines(tmp_path: Path) -> None:
    file = tmp_path / "exclude"
    file.write_bytes(b"# caches\n*.o\n\n  \n/build/\r\n\\#literal\n\xff*\n")
    assert read_exclude_file(file) == ("*.o", "/build/", "\\#literal", "\udcff*")


@pytest.mark.parametrize("pattern", ["!", "odd\\", "[z-a]"])
def test_a_pattern_that_does_not_parse_is_refused_with_its_line(tmp_path: Path, pattern: str) -> None:
    file = tmp_path / "exclude"
    file.write_text(f"*.o\n# comment\n{pattern}\n")
    with pytest.raises(UsageError, match=r"exclude, line 3: not a valid pattern"):
        read_exclude_file(file)
    with pytest.raises(UsageError, match="not a valid pattern"):
        listed(tmp_path, Exclusions(patterns=(pattern,)))


def test_a_missing_exclude_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        read_exclude_file(tmp_path / "gone")


@pytest.mark.parametrize("name", ["", "a/b"])
def test_a_mark_is_the_name_of_a_file(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="not a file name"):
        listed(tmp_path, Exclusions(if_present=(name,)))


def test_a_byte_order_mark_is_no_part_of_the_first_pattern(tmp_path: Path) -> None:
    file = tmp_path / "excluded"
    file.write_bytes(b"\xef\xbb\xbf*.tmp\n# comment\n")
    assert read_exclude_file(file) == ("*.tmp",)


def test_a_pattern_that_is_not_from_a_file_may_begin_with_a_hash(tmp_path: Path) -> None:
    root = make(tmp_path / "src", {"#recycle/old": b"", "kept": b""})
    assert listed(root, Exclusions(patterns=("#recycle",))) == ["", "kept"]


def test_patterns_of_any_case_match_letters_of_either_case(tmp_path: Path) -> None:
    for name in ("a.TMP", "b.tmp", "C.Tmp", "kept"):
        (tmp_path / name).write_bytes(b"")
    assert listed(tmp_path, Exclusions(patterns_any_case=("*.TMP",))) == ["", "kept"]


def test_files_of_more_bytes_than_the_limit_are_left_out_and_folders_never(tmp_path: Path) -> None:
    (tmp_path / "at the limit").write_bytes(b"12345")
    (tmp_path / "larger").write_bytes(b"123456")
    (tmp_path / "folder").mkdir()
    assert listed(tmp_path, Exclusions(larger_than_bytes=5)) == ["", "at the limit", "folder"]


def test_a_file_that_is_the_source_is_never_left_out(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"123456")
    assert listed(tmp_path / "file", Exclusions(larger_than_bytes=5, patterns_any_case=("file",))) == [""]


def test_what_has_the_flag_no_dump_is_left_out_with_what_is_below(tmp_path: Path) -> None:
    (tmp_path / "folder/below").mkdir(parents=True)
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "kept").write_bytes(b"")
    done = subprocess.run([program("chattr"), "+d", tmp_path / "folder", tmp_path / "file"], check=False)
    need(done.returncode == 0, "the file system of temporary files has no flags")
    assert listed(tmp_path, Exclusions(no_dump=True)) == ["", "kept"]
