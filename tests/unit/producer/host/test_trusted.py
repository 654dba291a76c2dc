"""What may tell segfleet what to do: files and folders of its user or of root, that nobody else can write."""

from __future__ import annotations

import os
import stat
from types import SimpleNamespace
from typing import cast

import pytest

from producer.host.trusted import check_trusted
from tasks.errors import UsageError

ME = os.geteuid()
STRANGER = ME + 12345


def status(uid: int, mode: int) -> os.stat_result:
    return cast(os.stat_result, SimpleNamespace(st_uid=uid, st_mode=stat.S_IFREG | mode))


@pytest.mark.parametrize(("uid", "mode"), [(ME, 0o600), (ME, 0o644), (0, 0o644), (ME, 0o755)])
def test_what_is_the_users_own_or_roots_is_trusted(uid: int, mode: int) -> None:
    check_trusted("/etc/x", status(uid, mode), "the configuration")


@pytest.mark.parametrize(
    ("uid", "mode", "message"),
    [
        (STRANGER, 0o600, f"the configuration /etc/x belongs to user {STRANGER}"),
        (ME, 0o666, r"others can write the configuration /etc/x \(mode 0666\)"),
        (ME, 0o664, "others can write"),
        (0, 0o602, "others can write"),
    ],
)
def test_what_somebody_else_owns_or_can_write_is_refused(uid: int, mode: int, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        check_trusted("/etc/x", status(uid, mode), "the configuration")
