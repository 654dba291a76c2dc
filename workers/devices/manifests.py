"""The manifest files on a device; parts and heads are written and read whole."""

from __future__ import annotations

import base64

from blake3 import blake3

from tasks.errors import DeviceError, MessageError
from tasks.orders import GetManifest, PutManifest
from tasks.receipts import ManifestResult
from workers.devices.base import Device
from workers.devices.keys import MANIFESTS_FOLDER, manifest_key


class NoSuchManifestError(DeviceError):
    """The device has no manifest file of this name."""

    code = "no-such-manifest"


def put_manifest(order: PutManifest, *, device: Device) -> ManifestResult:
    """Store one file of a manifest durably; repeating it writes nothing.

    Raises MessageError when the data does not match its digest, DeviceError when the device fails.
    """
    data = _decode(order)
    key = manifest_key(order.name)
    if _read(device, key) != data:
        with device.put(key) as upload:
            upload.write(data)
            upload.commit()
    return ManifestResult()


def get_manifest(order: GetManifest, *, device: Device) -> ManifestResult:
    """The file that ``order`` names, or the sorted names of all files of manifests.

    Raises NoSuchManifestError, or DeviceError when the device fails.
    """
    if not order.name:
        names = (key.removeprefix(f"{MANIFESTS_FOLDER}/") for key in device.list(MANIFESTS_FOLDER))
        return ManifestResult(names=tuple(names))
    data = _read(device, manifest_key(order.name))
    if data is None:
        raise NoSuchManifestError(f"device {device.name} has no manifest file {order.name}")
    return ManifestResult(data_base64=base64.b64encode(data).decode("ascii"))


def _decode(order: PutManifest) -> bytes:
    try:
        data = base64.b64decode(order.data_base64, validate=True)
    except ValueError as error:
        raise MessageError(f"manifest {order.name}: not base64: {error}") from error
    if blake3(data).hexdigest() != order.digest:
        raise MessageError(f"manifest {order.name}: its BLAKE3 does not match")
    return data


def _read(device: Device, key: str) -> bytes | None:
    stored = device.open(key)
    if stored is None:
        return None
    with stored:
        return stored.read(0, stored.size_bytes)
