import os
import stat
from pathlib import Path

import pytest

from kit.segment_in_memory import (
    FILES,
    MTIME_NS,
    restore,
    store,
    whole_files,
)

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: gives files to other users")


@needs_root
def test_set_id_bits_survive_the_change_of_owner(tmp_path):
    restore(tmp_path, store(FILES), whole_files(FILES, metadata=(0o6755, 1234, 5678, MTIME_NS)))
    found = (tmp_path / "a").stat()
    assert (stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid) == (0o6755, 1234, 5678)


@needs_root
def test_an_owner_that_cannot_be_set_is_reported_and_set_id_bits_are_left_out(tmp_path):
    result = restore(tmp_path, store(FILES), [("a", 0, 0, 5, (0o6755, 2**40, 0, MTIME_NS))])
    assert [(t.size_bytes, t.code) for t in result.troubles] == [(0, "metadata")]
    assert result.files_count == 1
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o755


@needs_root
def test_anybody_else_restores_as_himself_without_set_id_bits(tmp_path):
    found = _restored_by_nobody(tmp_path, 0o6755)
    assert (stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid) == (0o755, 65534, 65534)


@needs_root
def test_a_file_that_its_owner_may_not_write_is_overwritten_all_the_same(tmp_path):
    _restored_by_nobody(tmp_path, 0o444)
    found = _restored_by_nobody(tmp_path, 0o444)
    assert stat.S_IMODE(found.st_mode) == 0o444


def _restored_by_nobody(tmp_path: Path, mode: int) -> os.stat_result:
    """Restore one file in a child that has given up root; fails when the child reports trouble."""
    target = tmp_path / "target"
    target.mkdir(exist_ok=True)
    os.chown(target, 65534, 65534)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            handle = os.open(target, os.O_RDONLY)
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            rows = whole_files(FILES, metadata=(mode, 0, 0, MTIME_NS))
            result = restore(Path(f"/proc/self/fd/{handle}"), store(FILES), rows)
            code = 0 if result.troubles == () else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    return (target / "a").stat()
