"""A read-only view of the image of a raw volume, assembled on demand and removed afterwards."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from producer.engine.environment import Environment
from producer.engine.restore_image import restore_image
from producer.observer import Observer
from producer.raw.inside import ImageFiles
from producer.requests import RestoreRequest
from tasks.errors import SegfleetError


@contextmanager
def image_view(
    snapshot: str, volume: str, devices: Mapping[str, Path], observer: Observer, environment: Environment
) -> Iterator[ImageFiles]:
    """The files in the image of source ``volume``.

    The image is made in the folder for temporary files ($TMPDIR), sparse: it takes the room of what is used on the
    volume.  Raises what a restore raises; SegfleetError when a part of the image is lost.
    """
    with tempfile.TemporaryDirectory(prefix="segfleet-view-") as folder:
        image = Path(folder) / "image"
        request = RestoreRequest(snapshot=snapshot, path=volume, target=image, devices=dict(devices))
        summary = restore_image(request, volume, observer, environment, force=False)
        if summary.exit_code:
            raise SegfleetError(f"parts of the image of {volume} are lost", hint="restore the image, and repair it")
        image.chmod(0o400)
        yield ImageFiles(image)


def split_path(path: str, volumes: set[str]) -> tuple[str, str] | None:
    """(volume, path in it) when ``path`` leads into a raw source: it has a slash behind the volume's name."""
    volume, slash, inside = path.lstrip("/").partition("/")
    return (volume, inside.strip("/")) if slash and volume in volumes else None
