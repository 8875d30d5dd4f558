"""``ivk``: the command itself. Each subcommand's module is loaded only when it is used."""

from __future__ import annotations

import sys

import click

from invokeai_py_client import __version__
from invokeai_py_client.cli.group import LazyGroup
from invokeai_py_client.cli.output import run_command

# name: (module, what `ivk --help` says)
_COMMANDS = {
    "inputs": ("invokeai_py_client.cli.inputs", "List the inputs of a workflow."),
    "run": ("invokeai_py_client.cli.run", "Run a workflow and fetch its images."),
    "sweep": ("invokeai_py_client.cli.sweep", "Run a workflow many times, with all combinations of values."),
    "graph": ("invokeai_py_client.cli.graph", "Print the request that a run would send."),
    "codegen": ("invokeai_py_client.cli.codegen", "Write a typed Python function for a workflow."),
    "workflows": (
        "invokeai_py_client.cli.workflows",
        "List, fetch, save and remove workflows of the library.",
    ),
    "images": ("invokeai_py_client.cli.images", "List, fetch, bring, sort, remove and export images."),
    "boards": ("invokeai_py_client.cli.boards", "List, make, rename and remove boards."),
    "models": ("invokeai_py_client.cli.models", "List, find, install and remove models."),
    "queue": ("invokeai_py_client.cli.queue", "Watch the queue, cancel, retry and clear its items."),
    "doctor": ("invokeai_py_client.cli.doctor", "Look what may be wrong, and what to do about it."),
    "login": ("invokeai_py_client.cli.login", "Sign in to a server, and remember it and its token."),
    "logout": ("invokeai_py_client.cli.login", "Forget a token."),
    "server": ("invokeai_py_client.cli.server", "Install, start and stop an InvokeAI of your own."),
    "completion": ("invokeai_py_client.cli.completion", "Print what makes your shell complete ivk's words."),
}


@click.group(
    cls=LazyGroup,
    lazy=_COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
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
