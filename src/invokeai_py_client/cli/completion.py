"""``ivk completion``: the script for shell completion."""

from __future__ import annotations

import click

from invokeai_py_client.cli.group import IvkCommand
from invokeai_py_client.cli.output import echo, hint

_SETUP = {
    "bash": 'Add this line to ~/.bashrc: eval "$(ivk completion bash)"',
    "zsh": 'Add this line to ~/.zshrc: eval "$(ivk completion zsh)"',
    "fish": "Save it once: ivk completion fish > ~/.config/fish/completions/ivk.fish",
}


@click.command(cls=IvkCommand)
@click.argument("shell", type=click.Choice(list(_SETUP)))
def completion(shell: str) -> None:
    """Print a shell completion script.

    \b
      eval "$(ivk completion bash)"      # in ~/.bashrc
      eval "$(ivk completion zsh)"       # in ~/.zshrc
      ivk completion fish > ~/.config/fish/completions/ivk.fish
    """
    from click.shell_completion import get_completion_class

    from invokeai_py_client.cli.bash import register
    from invokeai_py_client.cli.main import ivk

    register()
    kind = get_completion_class(shell)
    assert kind is not None  # click supports all shells in _SETUP
    template = kind(ivk, {}, "ivk", "_IVK_COMPLETE")
    echo(template.source_template % template.source_vars())
    hint(_SETUP[shell])
