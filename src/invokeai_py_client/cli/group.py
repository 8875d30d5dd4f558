"""Command groups that load commands lazily and suggest close names for unknown ones."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib import import_module
from typing import Any, cast

import click

from invokeai_py_client._given import is_blank
from invokeai_py_client._text import close_names, did_you_mean
from invokeai_py_client.cli.options import common_options
from invokeai_py_client.cli.output import CommandInterrupted

ALIASES = {"list": "ls", "delete": "rm", "remove": "rm"}
"""Other names of commands, which are not listed."""


class IvkCommand(click.Command):
    """A command, in which an empty option or argument is an error.

    Shells pass an empty text for a variable that is not set. Without this check, ``--board "$BOARD"`` would select
    the images of all boards.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the command line, after checking that no value in it is empty."""
        if not ctx.resilient_parsing:
            given: Mapping[str, Any] = self.make_parser(ctx).parse_args(list(args))[0]
            for parameter in self.get_params(ctx):
                for value in filter(is_blank, _texts(given.get(parameter.name or ""))):
                    raise click.UsageError(_empty(parameter, value), ctx)
        return super().parse_args(ctx, args)


def _texts(value: Any) -> list[str]:
    """Return the texts in a value that was parsed: those of an option that was passed several times, for example."""
    values = cast("list[Any] | tuple[Any, ...]", value) if isinstance(value, list | tuple) else [value]
    return [text for text in values if isinstance(text, str)]


def _empty(parameter: click.Parameter, value: str) -> str:
    if isinstance(parameter, click.Option):
        kind, name = "option", parameter.opts[-1]
    else:
        kind, name = "argument", parameter.human_readable_name.strip("[].")
    advice = "" if parameter.required else f", or leave out {name}"
    cure = f"Check the shell variable that it comes from, pass a value{advice}."
    return f"Invalid {kind} {name} {value!r}: the value is empty. {cure}"


class IvkGroup(IvkCommand, click.Group):
    """A group that accepts common options and other names of commands, and suggests commands for an unknown word."""

    is_root = False
    command_class = IvkCommand

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.params += common_options(hidden=not self.is_root)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command by its name or by an alias."""
        return super().get_command(ctx, cmd_name) or super().get_command(ctx, ALIASES.get(cmd_name, cmd_name))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command for the first word."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            hint = did_you_mean(close_names(args[0], self.list_commands(ctx), most=2))
            if not hint or "Did you mean" in error.message:
                raise
            raise click.UsageError(f"{error.message.rstrip('.')}.{hint}", ctx) from None


class LazyGroup(IvkGroup):
    """The group of all commands. It imports a command only when it is used."""

    is_root = True

    def main(self, *args: Any, **options: Any) -> Any:
        """Run the command line, or complete it for a shell."""
        if "_IVK_COMPLETE" in os.environ:
            from invokeai_py_client.cli.bash import register

            register()
        return super().main(*args, **options)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise CommandInterrupted from None

    def __init__(self, *args: Any, lazy: Mapping[str, tuple[str, str]] | None = None, **options: Any) -> None:
        """Create the group.

        Args:
            args: Passed to ``click.Group``.
            lazy: The module and the summary of each command, by name. The module has the command under that name.
            options: Passed to ``click.Group``.
        """
        super().__init__(*args, **options)
        self._lazy = dict(lazy or {})

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands, sorted."""
        return sorted(self._lazy)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return a command, or return None if the command is unknown."""
        entry = self._lazy.get(cmd_name)
        return getattr(import_module(entry[0]), cmd_name) if entry else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in sorted(self._lazy.items())])
