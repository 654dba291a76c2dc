"""``segfleet completion``."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from producer.cli.elsewhere.command_here import CommandHere

#: By which a shell asks for what may follow; click makes it of the program's name.
_VARIABLE = "_SEGFLEET_COMPLETE"


@click.command(cls=CommandHere)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the script that completes commands, options and files in SHELL.

    \b
    bash: segfleet completion bash > ~/.local/share/bash-completion/completions/segfleet
    zsh:  segfleet completion zsh > ~/.zfunc/_segfleet
    fish: segfleet completion fish > ~/.config/fish/completions/segfleet.fish
    """
    found = get_completion_class(shell)
    assert found is not None  # click has all three
    click.echo(found(ctx.find_root().command, {}, "segfleet", _VARIABLE).source())
