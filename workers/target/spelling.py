"""Names that a file system takes for one, though they are spelled differently: exFAT, FAT and SMB fold case."""

from __future__ import annotations

import os

from workers.target.files import stat_entry
from workers.target.metadata.opening_up import in_folder
from workers.target.troubles import TargetTrouble


def refuse_other_spelling(folder: int, name: str) -> None:
    """Raise TargetTrouble if what is at ``name`` in ``folder``, an O_PATH descriptor, is called otherwise there.

    To write it would replace another file of the snapshot.
    """
    # Nearly always this ends here: nobody has both names.
    swapped = name.swapcase()
    if swapped == name or stat_entry(folder, swapped) is None or stat_entry(folder, name) is None:
        return
    try:
        names = in_folder(folder, lambda: os.listdir(f"/proc/self/fd/{folder}"))
    except OSError:
        return
    other = next((there for there in names if there.casefold() == name.casefold()), None)
    if name not in names and other is not None:
        raise TargetTrouble(
            "exists", f"the target's file system takes its name for that of {other!r}, which exists already"
        )
