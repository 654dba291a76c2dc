"""Extended attributes of a restored entry, ACLs among them."""

from __future__ import annotations

import errno
import os
from base64 import b64decode
from collections.abc import Mapping

from workers.target.metadata.not_kept import NotKept
from workers.target.troubles import MetadataTrouble

#: ext4 has 4 KiB for those of a file and says that it is full; others have 64 KiB for each.
_TOO_LARGE = frozenset({errno.ENOSPC, errno.E2BIG, errno.ERANGE})
#: What an entry gets from the folder that it is made in.
_INHERITED = ("system.posix_acl_access", "system.posix_acl_default")
#: What the owner of a file may set; of the rest each needs a right of its own.
_OWNERS = ("user.", "system.posix_acl_")


def set_attributes(
    place: int | str, attributes: Mapping[str, str], not_kept: NotKept, *, follow_symlinks: bool = True
) -> None:
    """Give ``place``, a descriptor or a path, its extended attributes, and take away the ACLs that it has inherited.

    Attributes of other names stay: labels of the host, for instance.  Idempotent.  What this user may not set, or the
    file system does not have, is counted once for the entry; raises MetadataTrouble for any other failure.
    """
    _remove_inherited(place, attributes, follow_symlinks=follow_symlinks)
    missing: tuple[OSError, bool] | None = None
    for name, value in attributes.items():
        try:
            os.setxattr(place, name, b64decode(value), follow_symlinks=follow_symlinks)
        except OSError as error:
            if not has_attributes(place, {name: value}, follow_symlinks=follow_symlinks):
                missing = (error, os.geteuid() == 0 or name.startswith(_OWNERS))
    if missing is None:
        return
    refusal, may_set = missing
    if refusal.errno in _TOO_LARGE:
        not_kept.unsupported["attributes"] += 1
    elif not not_kept.add("attributes", refusal, may_set=may_set):
        raise MetadataTrouble(f"cannot set its extended attributes: {refusal.strerror}") from refusal


def has_attributes(place: int | str, attributes: Mapping[str, str], *, follow_symlinks: bool = True) -> bool:
    """Whether ``place``, a descriptor or a path, has all of them."""
    try:
        return all(
            os.getxattr(place, name, follow_symlinks=follow_symlinks) == b64decode(value)
            for name, value in attributes.items()
        )
    except OSError:
        return False


def lacks_attributes(place: str, attributes: Mapping[str, str], *, follow_symlinks: bool = True) -> bool:
    """Whether ``place`` has another value, or none, for one that this user may set and the file system can hold."""
    may_set = [name for name in attributes if os.geteuid() == 0 or name.startswith(_OWNERS)]
    try:
        return any(
            os.getxattr(place, name, follow_symlinks=follow_symlinks) != b64decode(attributes[name]) for name in may_set
        )
    except OSError as error:
        return error.errno == errno.ENODATA


def _remove_inherited(place: int | str, attributes: Mapping[str, str], *, follow_symlinks: bool) -> None:
    try:
        present = os.listxattr(place, follow_symlinks=follow_symlinks)
        for name in present:
            if name in _INHERITED and name not in attributes:
                os.removexattr(place, name, follow_symlinks=follow_symlinks)
    except OSError as error:
        if error.errno not in (errno.ENOTSUP, errno.ENODATA):
            raise MetadataTrouble(f"cannot remove the ACL of its folder: {error.strerror}") from error
