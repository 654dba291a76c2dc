"""Which times of a file count as the same, though two hosts or file systems tell them."""

from __future__ import annotations

#: Times before 1678 and after 2262 count as these.
_EARLIEST_NS, _LATEST_NS = -(2**63), 2**63 - 1

#: Some file systems and protocols round times down: FAT to 2 s, ext3 and old NFS servers to 1 s, exFAT to 10 ms, others
#: to 1 ms or 1 us, SMB to 100 ns.
_STEPS_NS = (100, 1_000, 1_000_000, 10_000_000, 1_000_000_000, 2_000_000_000)


def is_same_time(one_ns: int, other_ns: int) -> bool:
    """Whether both may be the time of the same file, not written in between.

    Two hosts may see a file through different file systems, so one time may be the other one rounded down.
    """
    early_ns, late_ns = sorted(map(packable, (one_ns, other_ns)))
    return early_ns == late_ns or any(late_ns // step_ns * step_ns == early_ns for step_ns in _STEPS_NS)


def packable(time_ns: int) -> int:
    """The time as 64 bits hold it."""
    return min(max(time_ns, _EARLIEST_NS), _LATEST_NS)
