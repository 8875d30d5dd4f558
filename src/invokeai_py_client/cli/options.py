"""Options and arguments that several commands take."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from invokeai_py_client.errors import UsageError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from invokeai_py_client import InvokeAIClient
    from invokeai_py_client.engine.inputs import WorkflowInput
    from invokeai_py_client.workflow import WorkflowHandle

F = TypeVar("F", bound=Callable[..., Any])


def workflow_argument(command: F) -> F:
    """``FILE``: the workflow. Shells complete it with files; it may be a name in the library, too."""
    return click.argument("workflow", metavar="FILE", shell_complete=_files)(command)


def url_option(command: F) -> F:
    """``--url``: which server."""
    return click.option(
        "--url", metavar="URL", help="The server; else $INVOKEAI_URL, else http://localhost:9090."
    )(command)


def json_option(command: F) -> F:
    """``--json``: for programs."""
    return click.option("--json", "as_json", is_flag=True, help="One JSON object a line, for programs.")(
        command
    )


def set_option(command: F) -> F:
    """``-s NAME=VALUE``: values of inputs."""
    return click.option(
        "-s",
        "--set",
        "settings",
        metavar="NAME=VALUE",
        multiple=True,
        help="Set an input: by its label, field name, node.field or index. "
        "VALUE may be @FILE for a text's content.",
    )(command)


def connect(url: str | None) -> InvokeAIClient:
    """A client for the server that was asked for."""
    from invokeai_py_client import InvokeAIClient

    return InvokeAIClient.from_url(url)


def parse_settings(workflow: WorkflowHandle, settings: tuple[str, ...]) -> dict[str | int, Any]:
    """The values of ``-s`` options, read by the type of the input that each names.

    Raises:
        UsageError: An option without ``=``, an unknown input, or a text that is no such value.
    """
    values: dict[str | int, Any] = {}
    for address, found, text in read_settings(workflow, settings):
        values[address] = found.field.parse_text(_content(text))
    return values


def read_settings(
    workflow: WorkflowHandle, settings: Iterable[str]
) -> Iterator[tuple[str | int, WorkflowInput, str]]:
    """Yield the address, the input and the text of each ``-s`` option.

    Raises:
        UsageError: An option has no ``=``, names an unknown input, or names an input again.
    """
    named: set[Any] = set()
    for setting in settings:
        name, text = split_setting(setting)
        address = address_of(name)
        found = workflow.inputs.find(address)
        once(named, found.key, name)
        yield address, found, text


def once(named: set[Any], key: Any, name: str) -> None:
    """See that an input is named once only: of two values one would be lost.

    Raises:
        UsageError: It was named before.
    """
    if key in named:
        raise UsageError(
            f"-s {name}=... names an input for the second time; several values stand in one option."
        )
    named.add(key)


def split_setting(setting: str) -> tuple[str, str]:
    """The name and the text of a ``-s`` option.

    Raises:
        UsageError: It has no name or no ``=``.
    """
    name, equals, text = setting.partition("=")
    if not equals or not name.strip():
        raise UsageError(f"-s {setting!r} should be NAME=VALUE, for example -s steps=30.")
    return name.strip(), text


def address_of(name: str) -> str | int:
    """How a workflow finds an input that was named on the command line: digits are an index."""
    return int(name) if name.isdigit() else name


def _content(text: str) -> str:
    if not text.startswith("@"):
        return text
    path = Path(text[1:])
    try:
        return path.read_text(encoding="utf-8").rstrip("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"The text of {text} cannot be read: {error}.") from None


def yes_option(command: F) -> F:
    """``--yes``: no question."""
    return click.option("-y", "--yes", is_flag=True, help="Do not ask.")(command)


def limit_option(command: F) -> F:
    """``-n``: how many to list."""
    return click.option(
        "-n",
        "--limit",
        type=click.IntRange(1),
        metavar="N",
        help="How many at most; by default as many as fit a screen, and all where the output is piped.",
    )(command)


def _files(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    del context, parameter
    return [CompletionItem(incomplete, type="file")]
