"""``ivk``: the command itself. Each subcommand's module is loaded only when it is used."""

from __future__ import annotations

import sys
from importlib import import_module

import click

from invokeai_py_client import __version__
from invokeai_py_client.cli.out import run_command

# name: (module, what `ivk --help` says)
_COMMANDS = {
    "inputs": ("invokeai_py_client.cli.inputs", "List the inputs of a workflow."),
    "run": ("invokeai_py_client.cli.run", "Run a workflow and fetch its images."),
    "sweep": ("invokeai_py_client.cli.sweep", "Run a workflow many times, with all combinations of values."),
    "codegen": ("invokeai_py_client.cli.codegen", "Write a typed Python function for a workflow."),
    "doctor": ("invokeai_py_client.cli.doctor", "Look what may be wrong, and what to do about it."),
    "login": ("invokeai_py_client.cli.login", "Sign in to a server, and remember it and its token."),
    "logout": ("invokeai_py_client.cli.login", "Forget a token."),
    "server": ("invokeai_py_client.cli.server", "Install, start and stop an InvokeAI of your own."),
}


class LazyGroup(click.Group):
    """A group that knows its commands by name, and imports one when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in order."""
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a name."""
        entry = _COMMANDS.get(cmd_name)
        return getattr(import_module(entry[0]), cmd_name) if entry else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing any of them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, help_text) for name, (_, help_text) in sorted(_COMMANDS.items())])


@click.group(
    cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, prog_name="ivk")
def ivk() -> None:
    """Run InvokeAI workflows from the shell.

    A workflow designed in the web UI becomes a command: its form's fields are the options.

    \b
      ivk inputs portrait.json
      ivk run portrait.json -s positive_prompt="a lighthouse" -s steps=30 -o out/

    The server is that of --url, of $INVOKEAI_URL, or http://localhost:9090.
    """


def main() -> None:
    """The entry point of the ``ivk`` command."""
    sys.exit(run_command(ivk, sys.argv[1:]))


if __name__ == "__main__":
    main()
