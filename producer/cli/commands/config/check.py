"""``segfleet config check``."""

from __future__ import annotations

import click

from producer.cli.call import Call
from producer.cli.commands.config.facts import gather
from producer.cli.commands.config.findings import findings
from producer.cli.commands.config.text import file_of
from producer.cli.elsewhere.command_here import CommandHere
from producer.cli.options.shared import config_option, json_option
from producer.cli.show.json_lines import write_row
from producer.cli.show.safe_text import escaped
from producer.cli.show.wrapped import say
from producer.configuration.toml_lines import line_of


@click.command(cls=CommandHere)
@json_option
@config_option
@click.pass_obj
def check(call: Call) -> int:
    """Check the configuration for mistakes: paths, agents, schedules, and what nothing uses.

    Each finding names the file and the line.  Exit code: 1 if there is an error, 2 if the file cannot be parsed,
    else 0.  A warning may point at something that you intend.
    """
    path, text = file_of(call)
    found = list(findings(call.configuration, gather(call)))
    for finding in found:
        line = line_of(text, finding.keys)
        if call.json:
            row = {"level": finding.level, "file": str(path), "line": line, "message": finding.message}
            write_row({"message_type": "finding", **row})
        else:
            say(escaped(f"{path}:{line}: {finding.level}: {finding.message}"))
    if not found and not call.json:
        say(f"{path}: no problems found")
    return int(any(finding.level == "error" for finding in found))
