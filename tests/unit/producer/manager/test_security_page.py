from __future__ import annotations

import re

from kit.repository import REPOSITORY
from producer.manager.protocol.asks.table import ASKS

PAGE = (REPOSITORY / "docs/security.md").read_text()


def test_the_page_names_exactly_the_commands_that_a_master_can_ask_for() -> None:
    section = PAGE.partition("## What a master can ask for")[2].partition("\n## ")[0]
    assert sorted(re.findall(r"^\| `([^`]+)` \|", section, re.MULTILINE)) == sorted(ASKS)
