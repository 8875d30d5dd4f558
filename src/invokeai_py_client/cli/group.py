"""Groups of commands: loaded when they are used, and helpful about names that they do not have."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click

from invokeai_py_client._text import close_names, did_you_mean


class IvkGroup(click.Group):
    """A group that names the commands that an unknown word may have meant."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command of the first word."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            hint = did_you_mean(close_names(args[0], self.list_commands(ctx), most=2))
            if not hint or "Did you mean" in error.message:
                raise
            raise click.UsageError(f"{error.message.rstrip('.')}.{hint}", ctx) from None


class LazyGroup(IvkGroup):
    """A group that knows its commands by name, and imports one when it is called."""

    def __init__(self, *args: Any, lazy: Mapping[str, tuple[str, str]] | None = None, **options: Any) -> None:
        """Say where the commands are.

        Args:
            args: As for any group.
            lazy: The module of each command, where it stands under its own name, and what the list says of it.
            options: As for any group.
        """
        super().__init__(*args, **options)
        self._lazy = dict(lazy or {})

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in order."""
        return sorted(self._lazy)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a name."""
        entry = self._lazy.get(cmd_name)
        return getattr(import_module(entry[0]), cmd_name) if entry else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing any of them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in sorted(self._lazy.items())])
