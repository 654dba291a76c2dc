"""The data: a tree of many small files, and one large file made of it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

_PACKAGE = "linux-source-6.1"
_ARCHIVE = Path("/usr/src") / f"{_PACKAGE}.tar.xz"
_BLOCK_BYTES = 16 * 1024 * 1024


def kernel_tree(work: Path) -> Path:
    """The kernel source of Debian's package, unpacked below ``work``: 78,600 files, 1.3 GB."""
    tree = work / _PACKAGE
    if tree.is_dir():
        return tree
    if not _ARCHIVE.is_file():
        raise SystemExit(f"{_ARCHIVE} is missing: apt-get install {_PACKAGE}, or name another tree with --tree")
    unpacked = work / "unpacking"
    shutil.rmtree(unpacked, ignore_errors=True)
    unpacked.mkdir(parents=True)
    subprocess.run(["tar", "-C", str(unpacked), "-xf", str(_ARCHIVE)], check=True)
    (unpacked / _PACKAGE).rename(tree)
    unpacked.rmdir()
    return tree


def large_file(work: Path, tree: Path, size_bytes: int) -> Path:
    """A file of ``size_bytes``: the tree as tar writes it, again and again.

    Each repeat has its bytes exchanged for others, one for one.  So it compresses exactly as the first, and is new to a
    program that looks for blocks it has seen before.
    """
    path = work / f"large-{size_bytes // 1_000_000}-MB.bin"
    if path.is_file() and path.stat().st_size == size_bytes:
        return path
    with path.open("wb") as output:
        number = 0
        while output.tell() < size_bytes:
            _append(
                output.write, tree, size_bytes - output.tell(), bytes(byte ^ (number * 37 & 255) for byte in range(256))
            )
            number += 1
    return path


def _append(write, tree: Path, limit_bytes: int, table: bytes) -> None:  # type: ignore[no-untyped-def]
    command = ["tar", "-C", str(tree.parent), "--sort=name", "-cf", "-", tree.name]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as tar:
        assert tar.stdout is not None
        while limit_bytes and (block := tar.stdout.read(min(_BLOCK_BYTES, limit_bytes))):
            write(block.translate(table))
            limit_bytes -= len(block)
        tar.stdout.close()
        tar.wait()
