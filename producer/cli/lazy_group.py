"""A group of commands that are imported on demand, so that a list does not wait for the imports of a backup."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click

from tasks.errors import UsageError

#: Of all commands, so that the sections of ``--help`` are in line.
_WIDEST_NAME = 10
_LONGEST_SENTENCE = 200


class LazyGroup(click.Group):
    """``places``: command → "module:attribute".  ``--help`` imports all of them, a call only its own.

    ``titles``: the folder of commands → what ``--help`` calls it, in its order.
    """

    def __init__(self, *arguments: Any, places: Mapping[str, str], titles: Mapping[str, str], **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self._places = places
        self._titles = titles

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(self._places)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        place = self._places.get(cmd_name)
        if place is None:
            return None
        module, _, attribute = place.partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for folder, title in self._titles.items():
            names = [name for name in self.list_commands(ctx) if self._places[name].split(".")[-2] == folder]
            commands = [(name, command) for name in names if (command := self.get_command(ctx, name)) is not None]
            with formatter.section(title):
                # The whole first sentence, on two lines if need be.
                formatter.write_dl(
                    [(name.ljust(_WIDEST_NAME), one.get_short_help_str(_LONGEST_SENTENCE)) for name, one in commands]
                )

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        # Click suggests only names of commands that are imported already.
        near = difflib.get_close_matches(args[0], self._places) if args[0] not in self._places else []
        if near and not ctx.resilient_parsing:
            raise UsageError(f"No such command {args[0]!r}.", hint=f"did you mean {' or '.join(near)}?")
        return super().resolve_command(ctx, args)
