"""``ivk config``: the server in use and the saved profiles."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import click

from invokeai_py_client.cli.group import IvkCommand
from invokeai_py_client.cli.options import output_options, url_option
from invokeai_py_client.cli.output import echo, emit, hint, is_watched
from invokeai_py_client.cli.tables import Column, show_facts, show_table

_VARIABLES = (
    "INVOKEAI_URL",
    "INVOKEAI_PROFILE",
    "INVOKEAI_TOKEN",
    "INVOKEAI_EMAIL",
    "INVOKEAI_PASSWORD",
    "INVOKEAI_MODEL_TOKEN",
    "INVOKEAI_CONFIG",
)


@click.command(cls=IvkCommand)
@url_option
@output_options
def config(url: str | None, as_json: bool) -> None:
    """Show which server commands use, and the profiles saved by `ivk login`.

    Tokens are never shown. No request is sent.
    """
    from invokeai_py_client.config import choose, read_profiles
    from invokeai_py_client.config_file import config_path

    profiles = read_profiles()
    chosen = choose(url)
    path = config_path()
    facts: dict[str, Any] = {
        "server": chosen.address.url,
        "from": _source(url),
        "signed in": chosen.token is not None or chosen.credentials is not None,
        "file": _file(path),
        "environment": ", ".join(name for name in _VARIABLES if os.environ.get(name)),
    }
    rows: list[dict[str, Any]] = [
        {"name": one.name, "url": one.address.url, "email": one.email, "token": one.token is not None}
        for one in profiles.values()
    ]
    if as_json:
        for row in rows:
            emit({"event": "profile", **row})
        server = {"url": chosen.address.url, "source": facts["from"], "signed_in": facts["signed in"]}
        emit(
            {
                "event": "result",
                "ok": True,
                **server,
                "file": None if path is None else str(path),
                "profiles": len(rows),
            }
        )
        return
    show_facts(facts)
    if rows:
        if is_watched(sys.stdout):
            echo()
        columns = [
            Column("profile"),
            Column("url", whole=False),
            Column("user", whole=False),
            Column("token"),
        ]
        show_table(
            columns,
            [[row["name"], row["url"], row["email"] or "", "saved" if row["token"] else ""] for row in rows],
        )
    hint("Save a server: ivk login URL    Check the connection: ivk doctor")


def _source(url: str | None) -> str:
    """Return where the server's URL comes from."""
    from invokeai_py_client.config import DEFAULT_PROFILE, read_profiles

    if url:
        return "--url"
    if os.environ.get("INVOKEAI_URL"):
        return "$INVOKEAI_URL"
    name = os.environ.get("INVOKEAI_PROFILE") or DEFAULT_PROFILE
    return f"profile {name!r}" if name in read_profiles() else "default"


def _file(path: Path | None) -> str:
    if path is None:
        return "none, because the home directory is unknown"
    return str(path) if path.exists() else f"{path} (does not exist)"
