"""``ivk completion``: the script that makes a shell complete ``ivk``'s words."""

from __future__ import annotations

import click

from invokeai_py_client.cli.output import hint

_WHERE = {
    "bash": 'Put this into ~/.bashrc: eval "$(ivk completion bash)"',
    "zsh": 'Put this into ~/.zshrc: eval "$(ivk completion zsh)"',
    "fish": "Once: ivk completion fish > ~/.config/fish/completions/ivk.fish",
}


@click.command()
@click.argument("shell", type=click.Choice(list(_WHERE)))
def completion(shell: str) -> None:
    """Print the script that makes a shell complete ivk's words.

    \b
      eval "$(ivk completion bash)"      # in ~/.bashrc
      eval "$(ivk completion zsh)"       # in ~/.zshrc
      ivk completion fish > ~/.config/fish/completions/ivk.fish
    """
    from click.shell_completion import get_completion_class

    from invokeai_py_client.cli.main import ivk

    kind = get_completion_class(shell)
    assert kind is not None  # click knows the three of _WHERE
    template = kind(ivk, {}, "ivk", "_IVK_COMPLETE")
    click.echo(template.source_template % template.source_vars())
    hint(_WHERE[shell])
