"""The orders: what a manager asks one device to do.  One class for each row of :mod:`tasks.registry`.

Orders hold names, never absolute paths: a worker finds the path of a source or a target in its own settings, so a
message cannot make it read or write elsewhere.  Every order may arrive twice, or late.

``cleaning``, ``copying``, ``repacking``, ``parity`` and ``target_looks`` have their answers beside them; the others'
are in :mod:`tasks.receipts`.
"""

from __future__ import annotations

from tasks.orders.devices import AdoptDevice, DescribeDevice
from tasks.orders.manifests import MANIFEST_NAME, MAX_MANIFEST_BYTES, GetManifest, ManifestName, PutManifest
from tasks.orders.order import Order, Threads
from tasks.orders.reading import MAX_READ_BYTES, ReadSegment, RestoreSegment, VerifySegments
from tasks.orders.storing import ConfirmEmpty, Level, StoreSegment
from tasks.orders.targets import KEEP_OTHERS, EntryKind, Overwrite, PrepareImage, RestoreEntries, TargetEntry
from tasks.values import WIRE_VERSION, PartText

__all__ = [
    "KEEP_OTHERS",
    "MANIFEST_NAME",
    "MAX_MANIFEST_BYTES",
    "MAX_READ_BYTES",
    "WIRE_VERSION",
    "AdoptDevice",
    "ConfirmEmpty",
    "DescribeDevice",
    "EntryKind",
    "GetManifest",
    "Level",
    "ManifestName",
    "Order",
    "Overwrite",
    "PartText",
    "PrepareImage",
    "PutManifest",
    "ReadSegment",
    "RestoreEntries",
    "RestoreSegment",
    "StoreSegment",
    "TargetEntry",
    "Threads",
    "VerifySegments",
]
