"""Write docs/cli-reference.md from the commands themselves.

python tools/cli_reference.py           write it
python tools/cli_reference.py --check   exit 1 if it is out of date
"""

from __future__ import annotations

import argparse
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from invokeai_py_client.cli import output
from invokeai_py_client.cli.main import ivk
from invokeai_py_client.errors import InvokeAIClientError

PAGE = Path(__file__).resolve().parents[1] / "docs" / "cli-reference.md"
_HEAD = """# Every command of ivk

Generated from the commands' help by `tools/cli_reference.py`. For a guided tour, see [The command line](cli.md).

Every command has `--help`, or `-h`. `--url` selects the server, and `--json` prints one JSON object per line.

"""
_COMMON = ("--url", "--json")
_MEANINGS = {
    output.OK: "success",
    output.FAILED: "the server, the connection or the run failed, or a confirmation was declined",
    output.WRONG_USE: "invalid usage, or a confirmation was needed without a terminal (pass `--yes`)",
    output.UNREACHABLE: "no InvokeAI responds at the address",
    output.INTERRUPTED: "interrupted with Ctrl-C",
}


def page() -> str:
    """Return the whole page."""
    parts = [_HEAD]
    with click.Context(ivk, info_name="ivk") as context:
        for command, where in walk(ivk, context):
            parts.append(section(command, where))
    return "".join(parts) + codes()


def walk(command: click.Command, context: click.Context) -> Iterator[tuple[click.Command, click.Context]]:
    """Yield a command and its subcommands in alphabetical order."""
    yield command, context
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            if below is not None and not below.hidden:
                yield from walk(below, click.Context(below, info_name=name, parent=context))


def section(command: click.Command, context: click.Context) -> str:
    """Return the section of one command."""
    depth = context.command_path.count(" ")
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    lines = ["#" * min(2 + max(depth - 1, 0), 3), f" {context.command_path}\n\n```text\n{usage}\n```\n\n"]
    for paragraph in inspect.cleandoc(command.help or "").split("\n\n"):
        lines.append(shown(paragraph) + "\n\n")
    if isinstance(command, click.Group):
        names = (f"`{name}`" for name in command.list_commands(context))
        lines.append(f"Commands: {', '.join(names)}.\n\n")
    rows = [row for each in command.get_params(context) if (row := option_row(each, context))]
    if rows:
        lines.append("| option | meaning |\n|---|---|\n" + "".join(rows) + "\n")
    common = [word for each in command.get_params(context) for word in each.opts if word in _COMMON]
    if common:
        lines.append(f"Also {' and '.join(f'`{word}`' for word in common)}.\n\n")
    return "".join(lines)


def shown(paragraph: str) -> str:
    """Return a paragraph of a help text. Text that click does not rewrap becomes a block."""
    if paragraph.startswith("\b"):
        return f"```text\n{inspect.cleandoc(paragraph[1:])}\n```"
    return " ".join(paragraph.split())


def option_row(parameter: click.Parameter, context: click.Context) -> str:
    """Return the table row of an option, or an empty string if it has none."""
    record = parameter.get_help_record(context)
    if (
        record is None
        or parameter.param_type_name == "argument"
        or {"--help", *_COMMON} & set(parameter.opts)
    ):
        return ""
    words, meaning = (text.replace("|", "\\|") for text in record)
    return f"| `{words}` | {meaning} |\n"


def codes() -> str:
    """Return the table of exit codes with their error codes."""
    by_exit: dict[int, list[str]] = {output.WRONG_USE: [], output.INTERRUPTED: ["interrupted"]}
    kinds: list[type[InvokeAIClientError]] = [InvokeAIClientError]
    for kind in kinds:  # the list grows during the loop
        if kind.__module__ != InvokeAIClientError.__module__:
            continue
        by_exit.setdefault(output.exit_code_of(kind), []).append(kind.code)
        kinds.extend(kind.__subclasses__())
    rows = [
        f"| {code} | {meaning} | {', '.join(f'`{one}`' for one in sorted(set(by_exit.get(code, ()))))} |\n"
        for code, meaning in _MEANINGS.items()
    ]
    head = "## Exit codes and error codes\n\nWhat the codes mean: [Errors](errors.md).\n\n"
    return head + "| exit code | meaning | codes of errors |\n|---|---|---|\n" + "".join(rows)


def main() -> int:
    """Write or check the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true")
    text = page()
    if not parser.parse_args().check:
        PAGE.write_text(text, encoding="utf-8")
        return 0
    if PAGE.exists() and PAGE.read_text(encoding="utf-8") == text:
        return 0
    print(f"{PAGE} is out of date. Run {Path(__file__).name}.", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
