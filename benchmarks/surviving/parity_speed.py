"""How fast parity is made, and a lost device made again from it, beside ``par2`` on the same stored objects."""

from __future__ import annotations

import shutil
from pathlib import Path

from surviving.commands import bytes_in, segfleet, timed

#: Of the stored bytes, for par2: what one of four devices holds.
_PER_CENT = 34
_BLOCKS_COUNT = 2000


def measure_parity(folder: Path, source: Path, devices: list[str], sizes: tuple[str, ...]) -> None:
    """``devices``: four options, of empty folders below ``folder``.

    All is stored without parity first, so that the second backup does nothing but make it.
    """
    state, lost = folder / "state", folder / "a"
    segfleet(state, "backup", str(source), *devices, *sizes)
    stored_bytes = bytes_in(folder, "*.seg")
    objects = folder.parent / "objects"
    objects.mkdir()
    for path in folder.rglob("*.seg"):
        shutil.copyfile(path, objects / path.name)
    print("parity of what is stored, and all of one device made again from it:")
    made_s = segfleet(state, "backup", str(source), *devices, *sizes, "--parity=1")
    kept = {path.name: path.stat().st_size for path in lost.rglob("*.seg")}
    for path in lost.rglob("*.seg"):
        path.unlink()
    repaired_s = segfleet(state, "repair", *devices)
    if {path.name: path.stat().st_size for path in lost.rglob("*.seg")} != kept:
        raise SystemExit("the repair has not made everything again")
    _show("segfleet", stored_bytes, made_s, sum(kept.values()), repaired_s)
    if shutil.which("par2") is None:
        print("  par2 is not installed (Debian: apt-get install par2), so there is nothing to compare with")
        return
    _measure_par2(objects, list(kept), stored_bytes)


def _measure_par2(objects: Path, lost: list[str], stored_bytes: int) -> None:
    names = sorted(str(path) for path in objects.iterdir())
    archive = str(objects / "parity.par2")
    options = ("-q", "-q", f"-b{_BLOCKS_COUNT}", f"-r{_PER_CENT}", "-n1")
    made_s = timed(["par2", "create", *options, archive, *names])
    sizes = {name: (objects / name).stat().st_size for name in lost}
    for name in lost:
        (objects / name).unlink()
    repaired_s = timed(["par2", "repair", "-q", "-q", archive])
    if {name: (objects / name).stat().st_size for name in lost} != sizes:
        raise SystemExit("par2 has not made everything again")
    _show("par2", stored_bytes, made_s, sum(sizes.values()), repaired_s)


def _show(name: str, stored_bytes: int, made_s: float, lost_bytes: int, repaired_s: float) -> None:
    print(
        f"  {name:<10}made {made_s:7.1f} s, {stored_bytes / made_s / 1e6:7.1f} MB/s of what is stored; "
        f"made again {repaired_s:7.1f} s, {lost_bytes / repaired_s / 1e6:7.1f} MB/s"
    )
