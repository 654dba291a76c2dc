"""The summary of a backup, and what of a snapshot depends on which device."""

from __future__ import annotations

from msgspec import Struct, field


class DeviceTotals(Struct, frozen=True, kw_only=True):
    """What a device has stored of the snapshot, in all runs.  ``new``: this run made a device of an empty folder."""

    segments: int
    bytes_source: int
    bytes_stored: int
    state: str
    new: bool = False
    #: As copies of what other devices hold.
    bytes_copied: int = 0


class Incomplete(Struct, frozen=True, kw_only=True):
    """What cannot be restored of a snapshot while a device is away, which it has been ``since`` then (RFC 3339).

    ``lost``: an operator has said that it will not come back.  ``rotating``: it is expected to be away now and then,
    and the snapshot counts as whole.
    """

    device: str
    files: int
    bytes: int
    since: str
    lost: bool = False
    rotating: bool = False
    #: The device is there: what it held of these files was found damaged or missing.
    damaged: bool = False


class DeviceRisk(Struct, frozen=True, kw_only=True):
    """The files of a snapshot that would not come back whole if a device failed now, and how much only it has."""

    files: int
    bytes: int


class BackupSummary(Struct, frozen=True, kw_only=True):
    """``exit_code``: 0 every file can be restored now from the devices that are there, and from rotating devices that
    are away; 3 sealed, but some cannot.

    ``incomplete``: what lies on devices that are away.  ``errors`` counts its files too, but for rotating devices.
    """

    #: None: nothing differs from the parent, and no snapshot was wanted then.
    snapshot_id: str | None
    #: What it was compared with; "" for none.
    parent_id: str
    volume: str
    mode: str
    files: int
    files_new: int
    files_changed: int
    files_unchanged: int
    #: Unchanged, and at another path than before.
    files_moved: int
    #: Than in the last snapshot of the volume; 0 where nothing compares.
    files_fewer: int
    #: Unchanged files of which no device had all any more: stored again, so that older snapshots are whole again too.
    files_healed: int
    bytes_healed: int
    #: All that the snapshot holds.
    bytes_source: int
    #: By this run, of what the snapshot holds; what an interrupted run has stored of it is not in these.
    bytes_read: int
    bytes_stored: int
    threshold_bytes: int
    segments: int
    segments_rerouted: int
    segments_retried: int
    devices: dict[str, DeviceTotals]
    incomplete: tuple[Incomplete, ...]
    errors: int
    duration_s: float
    exit_code: int
    #: Of what the snapshot needs, on other devices; made by this run, and asked for but not there.
    copies_made: int = 0
    bytes_copied: int = 0
    copies_missing: int = 0
    #: By the name of the device, where anything would be lost with it.
    at_risk: dict[str, DeviceRisk] = field(default_factory=dict)
    #: Files of parity that this run has written, and objects that have less of it than was asked for.
    parity_made: int = 0
    bytes_parity: int = 0
    parity_missing: int = 0
