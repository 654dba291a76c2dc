"""What a seed stands for: devices, a tree, and what happens to them, and when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from random import Random

from disorder.blows import BLOWS
from disorder.breakages import BREAKAGES
from kit.disks.small_disk import MIB
from kit.tree import Entry, HardLink, Symlink, noise

#: What keeps a disk from being read.
_GONE_DISKS = ["unmount", "hang_disk", "take_marker"]


@dataclass(frozen=True, kw_only=True)
class Planned:
    """One blow or breakage: what, when, on which device, and for how long.

    ``at_s``: that of a blow counts from the command's start, that of a breakage from when the first bytes are stored.
    ``lasts_s`` None: until the snapshot has been proved.
    """

    at_s: float
    name: str
    device: str
    lasts_s: float | None

    @property
    def needs_data(self) -> bool:
        return self.name in BREAKAGES

    def __str__(self) -> str:
        until = "for good" if self.lasts_s is None else f"for {self.lasts_s:.1f} s"
        return f"{self.name} {self.device} at {self.at_s:.1f} {until}"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The first element of ``rounds`` hits the first run, and so on."""

    devices: tuple[str, ...]
    disks: tuple[str, ...]
    #: Of each disk; a small one has little room for what others should have stored.
    disk_bytes: int
    rates: Mapping[str, str]
    rounds: tuple[tuple[Planned, ...], ...]
    #: When everything is stored, before the devices are asked again.
    at_the_end: tuple[Planned, ...]
    #: After the first snapshot is sealed, before another backup of the same tree; None: there is no other one.
    between: tuple[Planned, ...] | None
    repeats_share: float

    @classmethod
    def of(cls, seed: str, *, with_disks: bool) -> Plan:
        dice = Random(seed)
        is_tight = with_disks and dice.random() < 0.2
        devices = tuple("abcdef"[: dice.randint(2, 3 if is_tight else 5)])
        disks = devices if is_tight else tuple(dice.sample(devices, 2))
        rounds = [_blows(dice, devices, dice.randint(1, 3))]
        at_the_end: tuple[Planned, ...] = ()
        if dice.random() < 0.5:
            at_the_end = _breakages(dice, devices, dice.randint(1, 2))
        if dice.random() < 0.2:
            rounds.append(_blows(dice, devices, dice.randint(1, 2)))
        if is_tight:
            # One disk goes for good, with all of its work or when that is done: the others have no room for it.
            gone = (replace(_planned(dice, devices, _GONE_DISKS), lasts_s=None),)
            is_early = dice.random() < 0.5
            rounds, at_the_end = [gone if is_early else ()], () if is_early else gone
        return cls(
            devices=devices,
            disks=disks if with_disks else (),
            disk_bytes=2 * MIB + int(tree_bytes(seed) / len(devices) * 1.4) if is_tight else 32 * MIB,
            rates={name: f"{dice.randint(1000, 4000) * 2 // len(devices)}KiB" for name in devices},
            rounds=tuple(rounds),
            at_the_end=at_the_end,
            between=_breakages(dice, devices, dice.randint(0, 2)) if not is_tight and dice.random() < 0.2 else None,
            repeats_share=dice.choice([0.0, 0.5, 1.0]),
        )

    @property
    def happenings(self) -> list[str]:
        """What happens, in words."""
        words = [str(one) for blows in self.rounds for one in blows]
        words += [f"{one.name} {one.device} when all is stored" for one in self.at_the_end]
        words += [f"{one.name} {one.device} between two backups" for one in self.between or ()]
        return words + (["another backup"] if self.between is not None else [])


def _blows(dice: Random, devices: tuple[str, ...], count: int) -> tuple[Planned, ...]:
    found = [_planned(dice, devices, [*BLOWS, *BREAKAGES]) for _ in range(count)]
    return tuple(sorted(found, key=lambda blow: blow.at_s))


def _breakages(dice: Random, devices: tuple[str, ...], count: int) -> tuple[Planned, ...]:
    return tuple(_planned(dice, devices, list(BREAKAGES)) for _ in range(count))


def _planned(dice: Random, devices: tuple[str, ...], names: list[str]) -> Planned:
    name = dice.choice(names)
    at_s = dice.uniform(0.0, 2.0) if name in BREAKAGES else dice.uniform(0.8, 6.0)
    device, lasts_s = dice.choice(devices), dice.uniform(0.5, 9.0)
    is_for_good = dice.random() < 0.5 and name in BREAKAGES
    return Planned(at_s=at_s, name=name, device=device, lasts_s=None if is_for_good else lasts_s)


def tree_bytes(seed: str) -> int:
    return sum(len(entry) for entry in entries_of(seed).values() if isinstance(entry, bytes))


def entries_of(seed: str) -> dict[str | bytes, Entry | bytes]:
    """Some hundred small files, links, an empty file, and some large files: 2 to 10 MiB."""
    dice = Random(f"{seed} tree")
    entries: dict[str | bytes, Entry | bytes] = {
        f"d{number % 7}/{number:03}": noise(dice.randint(0, 9000), number) for number in range(dice.randint(150, 300))
    }
    for number in range(dice.randint(1, 3)):
        entries[f"large{number}"] = noise(dice.randint(MIB, 3 * MIB), number + 1000)
    return entries | {"empty": b"", "symlink": Symlink("large0"), "again": HardLink("large0"), b"\xff not utf-8": b"x"}
