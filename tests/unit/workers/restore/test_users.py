import os
import stat
from pathlib import Path

from kit.needs import need_root
from kit.program.nobody import NOBODY, as_nobody
from kit.stored.segment_in_memory import FILES, MTIME_NS, content, restore, store, whole_files
from tasks.orders import Overwrite


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
