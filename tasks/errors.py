"""Every error that is meant for a person or a manager.

::

    SegfleetError
    ├── UsageError                  exit 2: the command line or the configuration is wrong
    ├── LockedError                 exit 11: another run holds what this one needs
    ├── InterruptedRun              exit 130
    ├── OutputError                 standard output, the result of a list or a dump, cannot be written
    ├── BrokerError                 the broker cannot be reached or started
    ├── CatalogError                the catalog cannot be read or written
    ├── MessageError                a message is malformed or of another version (refused)
    ├── RunOverError                an order has outlived its run (refused)
    ├── OutOfReachError             a worker cannot use the other device that its order names (refused)
    ├── NotMountedError             nothing is mounted where the backup requires it
    ├── EmptySourceError            a source that had files has none
    ├── StreamError                 a stream, its command or its spool; it cannot be read again
    ├── SourceError                 one source file; recorded, and the backup continues
    ├── TargetError                 the target of a restore cannot be written; the restore ends
    │   └── TargetNotEmptyError
    └── DeviceError                 one device; the run may continue without it
        ├── NotADeviceError         exit 10: no marker, another pool, or a newer format
        ├── DeviceFullError
        └── DamagedError            stored data has changed

A class carries its ``code`` (the word in JSON output, and on the wire), its ``exit_code``, its
``reason`` (how a manager must treat a failed order) and a ``hint`` (what to do).  The text of
an error says what happened and where; ``producer/cli/main.py`` is the one place that prints it.
"""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """Why an order failed; the manager decides by it what happens next."""

    SOURCE = "source"  # the source cannot be read; another device would not help
    DEVICE = "device"  # the device cannot be written or read; another one might
    FULL = "full"  # the device has no room; it takes no more
    DAMAGED = "damaged"  # stored bytes do not verify
    REFUSED = "refused"  # the order is malformed, stale, or for somebody else
    TIMEOUT = "timeout"  # the time limit ran out


class SegfleetError(Exception):
    """Base of all errors whose text is for the person at the terminal."""

    code = "failed"
    exit_code = 1
    reason = Reason.REFUSED
    hint = ""

    def __init__(self, message: str, *, hint: str | None = None, path: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.path = path
        if hint is not None:
            self.hint = hint


class UsageError(SegfleetError):
    code = "usage"
    exit_code = 2
    hint = "see segfleet --help"


class LockedError(SegfleetError):
    code = "locked"
    exit_code = 11
    hint = "wait for the other run to end (--wait TIME), or end it"


class InterruptedRun(SegfleetError):
    code = "interrupted"
    exit_code = 130
    hint = "run the same command again to continue"

    def __init__(
        self, message: str, *, hint: str | None = None, path: str | None = None, by_sigterm: bool = False
    ) -> None:
        """``by_sigterm``: the process had to end; Ctrl-C, by contrast, ends the run."""
        super().__init__(message, hint=hint, path=path)
        self.by_sigterm = by_sigterm


class OutputError(SegfleetError):
    """Standard output cannot be written; ``reader_is_gone``: its reader has read enough, as ``head`` does."""

    code = "output"
    hint = "free space where standard output goes, or send it elsewhere"
    reader_is_gone = False

    @classmethod
    def of(cls, error: OSError) -> OutputError:
        made = cls(f"standard output cannot be written: {error.strerror}")
        made.reader_is_gone = isinstance(error, BrokenPipeError)
        return made


class BrokerError(SegfleetError):
    code = "broker"
    hint = "check the [broker] url, or leave it out to use the private server"


class CatalogError(SegfleetError):
    code = "catalog"
    hint = "check the state folder (SEGFLEET_STATE) and its disk"


class MessageError(SegfleetError):
    """A message that cannot be decoded: wrong version, unknown key, wrong type, out of bounds."""

    code = "message"


class OutOfReachError(SegfleetError):
    """The other device of an order, which is not the worker's own: it is on another host, or not there."""

    code = "out-of-reach"
    hint = "have one agent serve both devices: segfleet worker DEVICE DEVICE"


class RunOverError(SegfleetError):
    """Nobody needs the order any longer.  If its run is alive after all, it sends the order again."""

    code = "run-over"


class NoParcelError(SegfleetError):
    """The broker has lost what the order needs.  Its run sends the order again, and that with it."""

    code = "no-parcel"


class NotMountedError(SegfleetError):
    code = "not-mounted"
    hint = "mount it, and run the same command again"


class EmptySourceError(SegfleetError):
    code = "empty-source"
    hint = "is its disk mounted?  If it is meant to be empty: --allow-empty"


class StreamError(SegfleetError):
    """The stream has not been read to its end, or could not be kept until it was stored."""

    code = "stream"
    hint = "run the backup again: a stream cannot be resumed"


class SourceError(SegfleetError):
    code = "source"
    reason = Reason.SOURCE


class TargetError(SegfleetError):
    """The whole target cannot be written: neither another device nor another try would help."""

    code = "target"
    hint = "check the target's disk: free space, quota, and whether it is writable"


class TargetNotEmptyError(TargetError):
    code = "target-not-empty"
    hint = "choose an empty folder, or say what to do with existing files: --overwrite always|if-changed|if-newer|never"


class DeviceError(SegfleetError):
    code = "device"
    reason = Reason.DEVICE


class NotADeviceError(DeviceError):
    code = "not-a-device"
    exit_code = 10


class DeviceFullError(DeviceError):
    code = "device-full"
    reason = Reason.FULL
    hint = "add a device, or free space on this one"


class DamagedError(DeviceError):
    code = "damaged"
    reason = Reason.DAMAGED
