"""What operating systems put on a disk before its owner does: with nothing else it is empty."""

from __future__ import annotations

import re

#: In lower case, for Windows does not keep to one.
_NAMES = frozenset(
    {
        # mkfs.ext4
        "lost+found",
        # Windows
        "system volume information",
        "$recycle.bin",
        "recycler",
        "desktop.ini",
        "thumbs.db",
        # macOS
        ".ds_store",
        ".spotlight-v100",
        ".fseventsd",
        ".trashes",
        "._.trashes",
        ".temporaryitems",
        "._.temporaryitems",
        ".documentrevisions-v100",
        ".metadata_never_index",
        ".apdisk",
        # desktops on Linux, and Android
        ".trash",
        ".directory",
        ".android_secure",
        # storage servers
        "@eadir",
        "#recycle",
        ".snapshot",
        # quotas
        "aquota.user",
        "aquota.group",
    }
)

#: Of each user who has thrown something away there.
_TRASH_OF_USER = re.compile(r"\.trash-[0-9]+")


def is_of_fresh_disk(name: str) -> bool:
    """Whether something of this name, at the top of a file system, says nothing about what the disk is used for."""
    name = name.lower()
    return name in _NAMES or _TRASH_OF_USER.fullmatch(name) is not None
