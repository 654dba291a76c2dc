"""A read-only view of the image of a raw volume, assembled on demand and removed afterwards."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from producer.observer import Observer
from producer.raw.inside.inside import ImageFiles
from producer.requests import RestoreRequest
from producer.restore.dump import dump
from producer.restore.image import restore_image
from producer.restore.sparse_file import SparseFile
from producer.run.environment import Environment
from tasks.errors import SegfleetError


@contextmanager
def image_view(
    snapshot: str, raw_volume: str, devices: Mapping[str, Path], observer: Observer, environment: Environment
) -> Iterator[ImageFiles]:
    """The files in the image of source ``raw_volume``.

    The image is made in the folder for temporary files ($TMPDIR).  It is sparse: it takes the space that is used on the
    raw volume.  Raises what a restore raises; SegfleetError when a part of the image is lost.
    """
    with tempfile.TemporaryDirectory(prefix="segfleet-view-") as folder:
        image = Path(folder) / "image"
        request = RestoreRequest(snapshot=snapshot, path=raw_volume, target=image, devices=dict(devices))
        if environment.broker_url is None:
            _restore(request, observer, environment)
        else:
            # Agents do not know the folder, and a dump needs none.
            with image.open("wb") as file:
                dump(request, SparseFile(file), observer, environment)
        image.chmod(0o400)
        yield ImageFiles(image)


def _restore(request: RestoreRequest, observer: Observer, environment: Environment) -> None:
    summary = restore_image(request, request.path, observer, environment, force=False)
    if summary.exit_code:
        raise SegfleetError(f"parts of the image of {request.path} are lost", hint="restore the image, and repair it")


def split_path(path: str, raw_volumes: set[str]) -> tuple[str, str] | None:
    """(raw volume, path in it) when ``path`` leads into a raw source: a slash follows the raw volume's name."""
    raw_volume, slash, inside = path.lstrip("/").partition("/")
    return (raw_volume, inside.strip("/")) if slash and raw_volume in raw_volumes else None
