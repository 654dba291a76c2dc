import os
import stat
from base64 import b64decode, b64encode
from pathlib import Path

from kit.needs import need, need_root
from kit.program.nobody import NOBODY, as_nobody
from kit.stored.entries import entry
from kit.stored.entries import make_entries as restore_all
from kit.stored.segment_in_memory import FILES, MTIME_NS, content, restore, store, whole_files
from tasks.orders import Overwrite
from tasks.sources.metadata import IMMUTABLE, NO_DUMP

#: user::rwx, user 12: rw-, group::r--, mask r-x, other::---
ACL = bytes.fromhex("0200000001000700ffffffff020006000c00000004000400ffffffff10000500ffffffff20000000ffffffff")
#: What a user may not set, and what he may.
SYSTEM = {
    "security.capability": bytes.fromhex("0100000200200000000000000000000000000000"),
    "security.mine": b"x",
    "trusted.mine": b"x",
}
USERS = {"user.mine": b64encode(b"x").decode(), "system.posix_acl_access": b64encode(ACL).decode()}


def test_set_id_bits_survive_the_change_of_owner(tmp_path: Path) -> None:
    need_root("give files to other users")
    restore(tmp_path, store(FILES), whole_files(FILES, metadata=(0o6755, 1234, 5678, MTIME_NS)))
    found = (tmp_path / "a").stat()
    assert (stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid) == (0o6755, 1234, 5678)


def test_an_owner_that_cannot_be_set_is_reported_and_set_id_bits_are_left_out(tmp_path: Path) -> None:
    need_root("try to give files to other users")
    result = restore(tmp_path, store(FILES), [("a", 0, 0, 5, (0o6755, 2**40, 0, MTIME_NS))])
    assert [(t.size_bytes, t.code) for t in result.troubles] == [(0, "metadata")]
    assert result.files_count == 1
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o755


def test_anybody_else_restores_as_himself_without_set_id_bits(tmp_path: Path) -> None:
    found = _restored_by_nobody(tmp_path, 0o6755)
    theirs = (NOBODY, NOBODY) if os.geteuid() == 0 else (os.getuid(), os.getgid())
    assert (stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid) == (0o755, *theirs)


def test_a_file_that_its_owner_may_not_write_is_overwritten_all_the_same(tmp_path: Path) -> None:
    _restored_by_nobody(tmp_path, 0o444)
    found = _restored_by_nobody(tmp_path, 0o444)
    assert stat.S_IMODE(found.st_mode) == 0o444


def test_a_user_restores_into_his_own_folder_that_he_may_not_write_to_and_it_keeps_its_mode(tmp_path: Path) -> None:
    need_root("give folders to a user")
    _restored_by_nobody(tmp_path, 0o644)
    target = tmp_path / "target"
    for path in ("a", "dir/large", "dir/sub/b"):
        (target / path).unlink()
    for folder, mode in (("dir/sub", 0o000), ("dir", 0o555), ("", 0o555)):
        os.chown(target / folder, NOBODY, NOBODY)
        (target / folder).chmod(mode)
    _restored_by_nobody(tmp_path, 0o644, overwrite="never")
    for folder, mode in (("", 0o555), ("dir", 0o555), ("dir/sub", 0o000)):
        assert stat.S_IMODE((target / folder).stat().st_mode) == mode
    assert content(target) == FILES


def _restored_by_nobody(tmp_path: Path, mode: int, overwrite: Overwrite = "always") -> os.stat_result:
    """Restore one file as a user who is not root, without trouble."""
    target = tmp_path / "target"
    target.mkdir(exist_ok=True)

    def restore_it(target: Path) -> None:
        rows = whole_files(FILES, metadata=(mode, 0, 0, MTIME_NS))
        assert restore(target, store(FILES), rows, overwrite=overwrite).troubles == ()

    as_nobody(target, restore_it)
    return (target / "a").stat()


def test_whatever_a_user_may_not_set_is_counted_by_kind_and_is_no_trouble(tmp_path: Path) -> None:
    """Owner, set-id bits, attributes of the system, flags, device nodes; an ACL and user attributes come back."""
    need_root("become a user who owns nothing else")
    target = tmp_path / "target"
    target.mkdir()
    mine = {"uid": NOBODY, "gid": NOBODY}
    system = {name: b64encode(value).decode() for name, value in SYSTEM.items()}
    kinds = (
        entry("file", "another's", mode=0o6755, uid=0, gid=0),
        entry("file", "mine", mode=0o6755, **mine),
        entry("file", "labelled", attributes=system | USERS, **mine),
        entry("character", "null", device_number=os.makedev(1, 3)),
        entry("block", "disk", device_number=os.makedev(8, 0)),
        entry("symlink", "another's link", link="x", uid=0, gid=0),
        entry("flags", "mine", flags=IMMUTABLE),
        entry("flags", "labelled", flags=NO_DUMP),
    )

    def restore_them(target: Path) -> None:
        result = restore_all(target, *kinds)
        assert result.troubles == ()
        assert result.not_kept == {"owner": 2, "attributes": 1, "flags": 1, "device-node": 2}
        assert {name: os.getxattr(target / "labelled", name) for name in USERS} == {
            name: b64decode(value) for name, value in USERS.items()
        }

    try:
        os.setxattr(tmp_path, "user.probe", b"")
    except OSError as error:
        need(False, f"no extended attributes in temporary files: {error}")
    as_nobody(target, restore_them)
    modes = {path.name: stat.S_IMODE(path.lstat().st_mode) for path in target.iterdir() if not path.is_symlink()}
    assert modes == {"another's": 0o755, "mine": 0o6755, "labelled": 0o750}


def test_a_user_keeps_the_set_group_id_bit_for_another_of_his_groups(tmp_path: Path) -> None:
    need_root("become a user of two groups")
    target = tmp_path / "target"
    target.mkdir()

    file = entry("file", "a", mode=0o2755, uid=NOBODY, gid=4321)

    def restore_it(target: Path) -> None:
        assert restore_all(target, file).not_kept == {}
        before = (target / "a").stat().st_ino
        restore_all(target, file, overwrite="if-changed")
        assert (target / "a").stat().st_ino == before

    as_nobody(target, restore_it, groups=[4321])
    found = (target / "a").stat()
    assert (stat.S_IMODE(found.st_mode), found.st_gid) == (0o2755, 4321)
