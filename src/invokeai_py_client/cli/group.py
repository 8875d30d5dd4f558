"""Command groups that load commands lazily and suggest close names for unknown ones."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click

from invokeai_py_client._text import close_names, did_you_mean
from invokeai_py_client.cli.options import common_options
from invokeai_py_client.cli.output import CommandInterrupted

ALIASES = {"list": "ls", "delete": "rm"}
"""Other names of commands, which are not listed."""


class IvkGroup(click.Group):
    """A group that accepts common options and other names of commands, and suggests commands for an unknown word."""

    is_root = False

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
