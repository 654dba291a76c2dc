from __future__ import annotations

from pathlib import Path

import pytest

from producer.configuration.secrets import secret
from tasks.errors import UsageError

URL = "redis://me:word@host/0"


def test_a_variable_wins_over_the_file_that_another_one_names(tmp_path: Path) -> None:
    file = tmp_path / "url"
    file.write_text(f"{URL}\n")

    assert secret("X", {"X": "redis://other/0", "X_FILE": str(file)}) == "redis://other/0"
    assert secret("X", {"X": "", "X_FILE": str(file)}) == URL
    assert secret("X", {}) is None


@pytest.mark.parametrize("content", [URL, f"{URL}\n", f"  {URL}\r\n# for agent a\n"])
def test_the_first_line_of_the_file_is_the_secret(tmp_path: Path, content: str) -> None:
    (tmp_path / "url").write_text(content)

    assert secret("X", {"X_FILE": str(tmp_path / "url")}) == URL


@pytest.mark.parametrize(
    ("content", "why"), [(None, "cannot be read: No such file"), (b"\n", "is empty"), (b"word \xff", "is not text")]
)
def test_a_file_that_holds_no_secret_is_refused_and_not_quoted(tmp_path: Path, content: bytes | None, why: str) -> None:
    file = tmp_path / "url"
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(UsageError, match=why) as refused:
        secret("X", {"X_FILE": str(file)})
    assert str(file) in str(refused.value)
    assert "word" not in str(refused.value)
