"""The root folder of a local device: opened anew for each use, and trusted only with its marker in it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tasks.errors import NotADeviceError
from workers.devices.keys import MARKER_NAME
from workers.devices.local.beneath import FOLDER_FLAGS, open_regular_file
from workers.devices.marker import MAX_MARKER_BYTES, Marker, decode_marker
from workers.devices.trouble import device_error, device_errors


class LocalRoot:
    """``path`` and the id of the device that must be there; "" while any device will do."""

    def __init__(self, device: str, path: Path) -> None:
        self.device = device
        self.path = path
        self.device_id = ""

    @contextmanager
    def opened(self) -> Iterator[int]:
        """A descriptor of the folder that is at the path now."""
        try:
            root_fd = os.open(self.path, FOLDER_FLAGS)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise NotADeviceError(
                f"device {self.device}: {self.path} is not a folder",
                path=str(self.path),
                hint="mount the device, or make the folder: segfleet does not make it",
            ) from error
        except OSError as error:
            raise device_error(self.device, self.path, error) from error
        try:
            yield root_fd
        finally:
            os.close(root_fd)

    @contextmanager
    def opened_device(self) -> Iterator[int]:
        """Like :meth:`opened`, but checks the marker first."""
        with self.opened() as root_fd:
            self.checked_marker(root_fd)
            yield root_fd

    def checked_marker(self, root_fd: int) -> Marker:
        """The marker in the open root; raises NotADeviceError if it is missing or another device's."""
        with device_errors(self.device, self.path / MARKER_NAME):
            marker = read_marker(root_fd, self.path)
        if marker is None:
            message = f"device {self.device}: {self.path} has no {MARKER_NAME}"
            raise NotADeviceError(message, path=str(self.path), hint="is it mounted?")
        if self.device_id and marker.device_id != self.device_id:
            raise NotADeviceError(
                f"device {self.device}: {self.path} holds device {marker.device_id}, not {self.device_id}",
                path=str(self.path),
                hint="mount the right device there",
            )
        return marker


def read_marker(root_fd: int, path: Path) -> Marker | None:
    """The marker in an open folder, None if there is none; raises what decode_marker raises, and OSError."""
    try:
        fd = open_regular_file(root_fd, MARKER_NAME)
    except FileNotFoundError:
        return None
    try:
        data = os.read(fd, MAX_MARKER_BYTES)
    finally:
        os.close(fd)
    return decode_marker(data, str(path / MARKER_NAME))
