"""``ivk server``: install, start, inspect and stop a local InvokeAI server, and administer any server."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from invokeai_py_client._paths import absolute_path
from invokeai_py_client.cli.administration import COMMANDS
from invokeai_py_client.cli.group import IvkGroup
from invokeai_py_client.cli.options import (
    UserPath,
    host_option,
    output_options,
    startup_option,
    tiny_models_option,
    version_option,
)
from invokeai_py_client.cli.output import echo, emit, hint, say
from invokeai_py_client.cli.streams import output_is_lost

if TYPE_CHECKING:
    from invokeai_py_client.server.state import Running

_root = click.option(
    "--root",
    metavar="DIR",
    type=UserPath(file_okay=False),
    help="Root folder of the server to use.",
)


@click.group(name="server", cls=IvkGroup)
def server() -> None:
    """Run a local InvokeAI server, and administer the server at a URL.

    install, start, status, logs and stop are for servers on this machine, which run in a separate environment. The
    other commands take --url.
    """


for _command in COMMANDS:
    server.add_command(_command)


def _print(data: dict[str, Any], sentence: str, as_json: bool) -> None:
    if as_json:
        emit({"event": "result", **data})
    else:
        echo(sentence)


def _root_of(version: str, root: Path | None) -> Path:
    from invokeai_py_client.server.paths import default_root

    return absolute_path(root) if root else default_root(version)


def _choose(root: Path | None) -> Running | None:
    """Return the running server to use. Without a root, there must be only one."""
    from invokeai_py_client.errors import UsageError
    from invokeai_py_client.server import state

    if root is not None:
        return state.at_root(absolute_path(root))
    servers = [each for each in state.running() if each.detached]
    if len(servers) > 1:
        roots = "\n".join(f"  --root {each.root}  ({each.url})" for each in servers)
        raise UsageError(f"Several servers are running. Choose one with --root:\n{roots}")
    return servers[0] if servers else None


@server.command()
@version_option
@click.option("--force", is_flag=True, help="Reinstall.")
@output_options
def install(version: str, force: bool, as_json: bool) -> None:
    """Install InvokeAI under the user's cache directory."""
    from invokeai_py_client.server.installer import install as do_install
    from invokeai_py_client.server.installer import installed

    before = None if force else installed(version)
    done = do_install(version, say=say, force=force)
    sentence = "is installed" if before is None else "is already installed"
    _print(
        {"folder": str(done.folder), "already": before is not None, **done.details},
        f"InvokeAI {version} {sentence}: {done.folder}",
        as_json,
    )


@server.command()
@version_option
@_root
@click.option(
    "--port",
    metavar="PORT",
    type=click.IntRange(1, 65535),
    help="Port to listen on. Defaults to a free port.",
)
@host_option
@tiny_models_option
@startup_option
@output_options
def start(
    version: str,
    root: Path | None,
    port: int | None,
    host: str,
    tiny_models: bool,
    timeout: float,
    as_json: bool,
) -> None:
    """Start InvokeAI in the background and print its URL."""
    from invokeai_py_client.server import state
    from invokeai_py_client.server.local import LocalServer
    from invokeai_py_client.server.tiny_models import TINY_SETTINGS, tiny_flux_pack

    folder = _root_of(version, root)
    local = LocalServer.find(folder)
    already = local is not None
    if local is None:
        local = LocalServer(
            version,
            root=folder,
            port=port,
            host=host,
            config=TINY_SETTINGS if tiny_models else None,
            node_packs=[tiny_flux_pack()] if tiny_models else [],
            detached=True,
            say=say,
        ).start(timeout)
    elif port is not None and port != local.port:
        from invokeai_py_client.errors import StartError

        raise StartError(f"A server is already running on {folder}, at {local.url}. Stop it first.")
    names = _install_tiny(local.version, local.url) if tiny_models else []
    found: state.Running = local.state
    if already and not as_json:
        say("Already running.")
    _print({**found.to_dict(), "already": already, "tiny_models": names}, found.url, as_json)
    hint(f"Use it in commands and scripts: export INVOKEAI_URL={found.url}", as_json)


def _install_tiny(version: str, url: str) -> list[str]:
    from invokeai_py_client.server.installer import install as do_install
    from invokeai_py_client.server.tiny_models import install_tiny_models, make_tiny_models

    return install_tiny_models(url, make_tiny_models(do_install(version, say=say), say=say))


@server.command()
@_root
@output_options
def stop(root: Path | None, as_json: bool) -> None:
    """Stop a server that was started in the background."""
    from invokeai_py_client.server.local import LocalServer

    found = _choose(root)
    local = None if found is None else LocalServer.find(found.root)
    if found is None or local is None:
        _print({"stopped": None}, "No server is running.", as_json)
        return
    local.stop()
    _print({"stopped": found.to_dict()}, f"Stopped {found.url} (process {found.pid}).", as_json)


@server.command()
@output_options
def status(as_json: bool) -> None:
    """List running servers and check that they respond. Exits with code 1 if none is running."""
    from invokeai_py_client.server import state
    from invokeai_py_client.server.health import answers

    rows: list[dict[str, Any]] = []
    for each in state.running():
        rows.append({**each.to_dict(), "answers": answers(each.url) is not None})
    if as_json:
        emit({"event": "result", "running": rows})
    elif not rows:
        echo("No server is running. Start one with: ivk server start")
    for row in [] if as_json else rows:
        how = "is running" if row["answers"] else "does not respond"
        echo(f"InvokeAI {row['version']} {how} at {row['url']} (process {row['pid']}, root {row['root']})")
    if not rows:
        sys.exit(1)


@server.command()
@version_option
@_root
@click.option(
    "-n",
    "--lines",
    metavar="N",
    type=click.IntRange(0),
    default=40,
    show_default=True,
    help="Number of lines.",
)
@click.option("-f", "--follow", is_flag=True, help="Keep printing new lines until the server stops.")
def logs(version: str, root: Path | None, lines: int, follow: bool) -> None:
    """Print the end of a server's log."""
    from invokeai_py_client.errors import LocalServerError
    from invokeai_py_client.server.processes import tail

    found = _choose(root)
    path = Path(found.log) if found else _root_of(version, root) / "logs" / "server.log"
    if not path.exists():
        raise LocalServerError(f"No log at {path}: no server was started there.")
    size = path.stat().st_size
    if text := tail(path, lines):
        echo(text)
    if follow:
        for piece in _follow(path, size, found.lives if found else lambda: False):
            echo(piece, nl=False)
            if output_is_lost():
                break


def _follow(path: Path, position: int, lives: Callable[[], bool]) -> Iterator[str]:
    """Yield new content of a file until the process that writes it ends."""
    with path.open("rb") as file:
        file.seek(position)
        while True:
            last = not lives()  # checked before reading, so that the writer's last lines are not missed
            if piece := file.read():
                yield piece.decode(errors="replace")
            if last:
                return
            time.sleep(0.2)
