"""``ivk doctor``: connection problems and how to fix them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from invokeai_py_client.cli.group import IvkCommand
from invokeai_py_client.cli.options import output_options, url_option
from invokeai_py_client.cli.output import FAILED, echo, emit
from invokeai_py_client.errors import UsageError

if TYPE_CHECKING:
    from invokeai_py_client.doctor import Finding

_COLORS = {"ok": "green", "warn": "yellow", "fail": "red"}


@click.command(cls=IvkCommand)
@url_option
@output_options
def doctor(url: str | None, as_json: bool) -> None:
    """Check the connection to the server and suggest fixes.

    Prints one line per check: ok, warn or fail, followed by a fix. Exits with code 1 if a check fails.
    """
    import asyncio

    found: list[Finding] = []

    def report(finding: Finding) -> None:
        found.append(finding)
        if as_json:
            emit({"event": "finding", **asdict(finding)})
            return
        echo(f"{finding.state:<5}", fg=_COLORS[finding.state], nl=False)
        echo(f"{finding.about:<8} {finding.says}")
        if finding.cure and finding.cure not in finding.says:
            echo(f"{'':<14}-> {finding.cure}")

    asyncio.run(_examine(url, report))
    well = all(finding.state != "fail" for finding in found)
    if as_json:
        emit({"event": "result", "ok": well})
    if not well:
        raise click.exceptions.Exit(FAILED)


async def _examine(url: str | None, report: Callable[[Finding], None]) -> None:
    from invokeai_py_client import AsyncInvokeAIClient
    from invokeai_py_client.doctor import Finding, examine, examine_client, examine_config

    report(examine_client())
    report(config := examine_config())
    try:
        client = AsyncInvokeAIClient.from_url(url, max_retries=0)
    except UsageError as error:
        if config.state != "fail":
            report(Finding("server", "fail", str(error)))
        return
    async with client:
        root = _root_of(client.url)
        async for finding in examine(client, root, _log_of(client.url, root)):
            report(finding)


def _root_of(url: str) -> Path | None:
    """Return the root folder of the server at a URL if ``ivk server`` started it on this machine."""
    from invokeai_py_client.server import state

    return next((Path(one.root) for one in state.running() if one.url == url), None)


def _log_of(url: str, root: Path | None) -> Path | None:
    """Return the log of a server on this machine, or of the one that `ivk server start` starts by default."""
    from urllib.parse import urlsplit

    from invokeai_py_client.server.local import LocalServer
    from invokeai_py_client.server.paths import default_root
    from invokeai_py_client.server.releases import DEFAULT_VERSION

    if root is None:
        if urlsplit(url).hostname not in ("localhost", "127.0.0.1", "::1"):
            return None
        try:
            root = default_root(DEFAULT_VERSION)
        except UsageError:
            return None  # no home directory
    return LocalServer(root=root).log_path
