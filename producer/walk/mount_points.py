"""The mount points in a source."""

from __future__ import annotations

import os

from producer.raw.mounts import UnknownMountsError, mounts


def mount_points_below(root: str) -> frozenset[str]:
    """The paths, relative to ``root``, of the mount points below it; none where /proc does not tell."""
    prefix = os.path.realpath(root).rstrip("/") + "/"
    try:
        points = [mount.point for mount in mounts()]
    except UnknownMountsError:
        return frozenset()
    return frozenset(point.removeprefix(prefix) for point in points if point.startswith(prefix) and point != prefix)
