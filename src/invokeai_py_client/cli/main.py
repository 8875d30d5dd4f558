"""The ``ivk`` command. The module of a subcommand is loaded only when the subcommand is used."""

from __future__ import annotations

import sys

import click

from invokeai_py_client import __version__
from invokeai_py_client.cli.group import LazyGroup
from invokeai_py_client.cli.output import finish, log_to_output, run_command
from invokeai_py_client.cli.streams import make_robust

# name: (module, summary in `ivk --help`)
_COMMANDS = {
    "generate": ("invokeai_py_client.cli.generate", "Make images of a prompt, without a workflow."),
    "inputs": ("invokeai_py_client.cli.inputs", "List the inputs of a workflow."),
    "run": ("invokeai_py_client.cli.run", "Run a workflow and save its images."),
    "sweep": ("invokeai_py_client.cli.sweep", "Run a workflow for every combination of values."),
    "graph": ("invokeai_py_client.cli.graph", "Print the request that a run would send."),
    "codegen": ("invokeai_py_client.cli.codegen", "Generate a typed Python function from a workflow."),
    "workflows": ("invokeai_py_client.cli.workflows", "Manage the server's workflow library."),
    "images": (
        "invokeai_py_client.cli.images",
        "List, download, upload, organize, delete and export images.",
    ),
    "videos": ("invokeai_py_client.cli.videos", "List, download, upload, organize and delete videos."),
    "boards": ("invokeai_py_client.cli.boards", "Manage boards."),
    "models": ("invokeai_py_client.cli.models", "List, install and uninstall models."),
    "prompt": (
        "invokeai_py_client.cli.prompt",
        "Spell out prompts, and write them with language models.",
    ),
    "presets": ("invokeai_py_client.cli.presets", "Manage style presets: texts around prompts."),
    "queue": ("invokeai_py_client.cli.queue", "Watch and manage the queue."),
    "api": ("invokeai_py_client.cli.api", "Send any request to the server."),
    "users": ("invokeai_py_client.cli.users", "Manage the user accounts of a server."),
    "nodes": ("invokeai_py_client.cli.nodes", "List node types and install packs of custom nodes."),
    "watch": ("invokeai_py_client.cli.events", "Print the server's events."),
    "doctor": ("invokeai_py_client.cli.doctor", "Check the connection and suggest fixes."),
    "config": ("invokeai_py_client.cli.config", "Show the server in use and the saved profiles."),
    "login": ("invokeai_py_client.cli.login", "Sign in to a server."),
    "logout": ("invokeai_py_client.cli.login", "Sign out of a server."),
    "server": ("invokeai_py_client.cli.server", "Run a local InvokeAI server, and administer any server."),
    "pool": ("invokeai_py_client.cli.pool", "Manage pools of servers."),
    "completion": ("invokeai_py_client.cli.completion", "Print a shell completion script."),
}


@click.group(
    cls=LazyGroup,
    lazy=_COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="ivk")
def ivk() -> None:
    """Make images and run InvokeAI workflows from the shell.

    Workflows are designed in the web UI. The fields in a workflow's form are its inputs.

    \b
      ivk generate "a lighthouse at dusk" -o out/
      ivk inputs portrait.json
      ivk run portrait.json -s positive_prompt="a lighthouse" -s steps=30 -o out/

    The server is chosen by --url, $INVOKEAI_URL, or the profile saved with `ivk login`. It defaults to
    http://localhost:9090.
    """


def main() -> None:
    """Run the ``ivk`` command and exit."""
    make_robust()
    log_to_output()
    sys.exit(finish(run_command(ivk, sys.argv[1:])))


if __name__ == "__main__":
    main()
