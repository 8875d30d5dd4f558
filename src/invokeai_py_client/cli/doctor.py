"""``ivk doctor``: what may be wrong, and what to do about it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from invokeai_py_client.cli.options import json_option, url_option
from invokeai_py_client.cli.output import FAILED, emit
from invokeai_py_client.errors import UsageError

if TYPE_CHECKING:
    from invokeai_py_client.doctor import Finding

_COLORS = {"ok": "green", "warn": "yellow", "fail": "red"}


@click.command()
@url_option
@json_option
def doctor(url: str | None, as_json: bool) -> None:
    """Look whether everything is well between here and the server.

    Each line is about one thing: ok, warn or fail, with what to do about it. The exit code is 1 where one of
    them is fail.
    """
    import asyncio

    found: list[Finding] = []

    def tell(finding: Finding) -> None:
        found.append(finding)
        if as_json:
            emit({"event": "finding", **asdict(finding)})
            return
        click.secho(f"{finding.state:<5}", fg=_COLORS[finding.state], nl=False)
        click.echo(f"{finding.about:<8} {finding.says}")
        if finding.cure and finding.cure not in finding.says:
            click.echo(f"{'':<14}-> {finding.cure}")

    asyncio.run(_examine(url, tell))
    well = all(finding.state != "fail" for finding in found)
    if as_json:
        emit({"event": "result", "ok": well})
    if not well:
        sys.exit(FAILED)


async def _examine(url: str | None, tell: Callable[[Finding], None]) -> None:
    from invokeai_py_client import AsyncInvokeAIClient
    from invokeai_py_client.doctor import Finding, examine, examine_client, examine_config

    tell(examine_client())
    tell(config := examine_config())
    try:
        client = AsyncInvokeAIClient.from_url(url, max_retries=0)
    except UsageError as error:
        if config.state != "fail":
            tell(Finding("server", "fail", str(error)))
        return
    async with client:
        async for finding in examine(client, _root_of(client.url)):
            tell(finding)


def _root_of(url: str) -> Path | None:
    """The root of a server that ``ivk server`` started here."""
    from invokeai_py_client.server import state

    return next((Path(one.root) for one in state.running() if one.url == url), None)
