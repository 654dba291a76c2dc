"""Images of file systems that somebody patched, and what lies around the folder that their files go to."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

MIB = 1024 * 1024
#: Superblocks, inodes and directories of small trees lie there in each part of an image.
_PATCHED_BYTES = 8 * MIB
_PART_BYTES = 80 * MIB


def tree_of(folder: Path, names: dict[str, bytes]) -> Path:
    """A folder with files of these names and contents."""
    for name, content in names.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def debugfs(image: Path, *requests: str) -> None:
    """Change a file system of ext."""
    for request in requests:
        found = shutil.which("debugfs", path="/usr/sbin:/sbin") or "debugfs"
        subprocess.run([found, "-w", "-R", request, image], check=True, capture_output=True)


def patched(image: Path, old: bytes, new: bytes) -> Path:
    """Overwrite every ``old`` near the beginning of each part of the image, of which there must be one."""
    assert len(old) == len(new)
    count = 0
    with open(image, "r+b") as file:
        for start in range(0, image.stat().st_size, _PART_BYTES):
            file.seek(start)
            content = file.read(_PATCHED_BYTES)
            for match in re.finditer(re.escape(old), content):
                file.seek(start + match.start())
                file.write(new)
                count += 1
    assert count
    return image


class Surroundings:
    """A folder for what is taken out, deep in another one that must stay as it is."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.target = folder / "deep/target"
        self.target.mkdir(parents=True)
        self.precious = folder / "precious"
        self.precious.write_bytes(b"precious")

    def names(self) -> list[str]:
        """What is in the target."""
        return sorted(path.name for path in self.target.iterdir())

    def assert_untouched(self) -> None:
        around = {path for path in self.folder.rglob("*") if self.target not in path.parents}
        assert around == {self.precious, self.target.parent, self.target}
        assert self.precious.read_bytes() == b"precious"

    def empty(self) -> None:
        for path in self.target.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
