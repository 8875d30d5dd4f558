"""``ivk server``: install, start, look at and stop a local InvokeAI."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from invokeai_py_client.cli.output import emit, hint, say

if TYPE_CHECKING:
    from invokeai_py_client.server.state import Running

_version = click.option("--version", "version", default="6.14.2", show_default=True, help="InvokeAI release.")
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of sentences.")
_root = click.option(
    "--root", type=click.Path(path_type=Path, file_okay=False), help="Root folder of the server meant."
)


@click.group(name="server")
def server() -> None:
    """Install and run a local InvokeAI, in an environment of its own."""


def _print(data: dict[str, Any], sentence: str, as_json: bool) -> None:
    if as_json:
        emit({"event": "result", **data})
    else:
        click.echo(sentence)


def _root_of(version: str, root: Path | None) -> Path:
    from invokeai_py_client.server.paths import default_root

    return root.expanduser().absolute() if root else default_root(version)


def _choose(root: Path | None) -> Running | None:
    """Return the running server that is meant; without a root, the only one there is."""
    from invokeai_py_client.errors import UsageError
    from invokeai_py_client.server import state

    if root is not None:
        return state.at_root(root.expanduser().absolute())
    servers = [each for each in state.running() if each.detached]
    if len(servers) > 1:
        roots = "\n".join(f"  --root {each.root}  ({each.url})" for each in servers)
        raise UsageError(f"Several servers run; say which one:\n{roots}")
    return servers[0] if servers else None


@server.command()
@_version
@click.option("--force", is_flag=True, help="Install it anew.")
@_json
def install(version: str, force: bool, as_json: bool) -> None:
    """Install InvokeAI under the user's cache directory."""
    from invokeai_py_client.server.installer import install as do_install
    from invokeai_py_client.server.installer import installed

    before = None if force else installed(version)
    done = do_install(version, say=say, force=force)
    sentence = "is installed" if before is None else "was installed already"
    _print(
        {"folder": str(done.folder), "already": before is not None, **done.details},
        f"InvokeAI {version} {sentence}: {done.folder}",
        as_json,
    )


@server.command()
@_version
@_root
@click.option("--port", type=click.IntRange(1, 65535), help="Port to listen at; by default a free one.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen at.")
@click.option("--tiny-models", is_flag=True, help="Install tiny models for tests, FLUX ones included.")
@click.option("--timeout", type=float, default=120.0, show_default=True, help="Seconds to wait for it.")
@_json
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

    folder = _root_of(version, root)
    local = LocalServer.find(folder)
    already = local is not None
    if local is None:
        local = LocalServer(
            version,
            root=folder,
            port=port,
            host=host,
            # "auto" slices attention on a CPU, which takes minutes where this takes seconds
            config={"attention_type": "torch-sdp"} if tiny_models else None,
            node_packs=_packs(tiny_models),
            detached=True,
            say=say,
        ).start(timeout)
    elif port is not None and port != local.port:
        from invokeai_py_client.errors import StartError

        raise StartError(f"A server runs on {folder} already, at {local.url}. Stop it first.")
    names = _install_tiny(local.version, local.url) if tiny_models else []
    found: state.Running = local.state
    if already and not as_json:
        say("It runs already.")
    _print({**found.to_dict(), "already": already, "tiny_models": names}, found.url, as_json)
    hint(f"Commands and scripts find it by: export INVOKEAI_URL={found.url}", as_json)


def _packs(tiny_models: bool) -> list[Path]:
    if not tiny_models:
        return []
    from invokeai_py_client.server.tiny_models import tiny_flux_pack

    return [tiny_flux_pack()]


def _install_tiny(version: str, url: str) -> list[str]:
    from invokeai_py_client.server.installer import install as do_install
    from invokeai_py_client.server.tiny_models import install_tiny_models, make_tiny_models

    return install_tiny_models(url, make_tiny_models(do_install(version, say=say), say=say))


@server.command()
@_root
@_json
def stop(root: Path | None, as_json: bool) -> None:
    """Stop a server that was started in the background."""
    from invokeai_py_client.server.local import LocalServer

    found = _choose(root)
    local = None if found is None else LocalServer.find(found.root)
    if found is None or local is None:
        _print({"stopped": None}, "No server runs.", as_json)
        return
    local.stop()
    _print({"stopped": found.to_dict()}, f"Stopped {found.url} (process {found.pid}).", as_json)


@server.command()
@_json
def status(as_json: bool) -> None:
    """Show the servers that run, and whether they answer; exit code 1 where none runs."""
    from invokeai_py_client.server import state
    from invokeai_py_client.server.health import answers

    rows: list[dict[str, Any]] = []
    for each in state.running():
        rows.append({**each.to_dict(), "answers": answers(each.url) is not None})
    if as_json:
        emit({"event": "result", "running": rows})
    elif not rows:
        click.echo("No server runs. Start one with: ivk server start")
    for row in [] if as_json else rows:
        how = "answers" if row["answers"] else "does not answer"
        click.echo(
            f"InvokeAI {row['version']} at {row['url']} {how} (process {row['pid']}, root {row['root']})"
        )
    if not rows:
        sys.exit(1)


@server.command()
@_version
@_root
@click.option("-n", "--lines", type=click.IntRange(0), default=40, show_default=True, help="How many lines.")
@click.option("-f", "--follow", is_flag=True, help="Go on printing what comes, until the server ends.")
def logs(version: str, root: Path | None, lines: int, follow: bool) -> None:
    """Print the end of a server's log."""
    from invokeai_py_client.errors import LocalServerError
    from invokeai_py_client.server.processes import tail

    found = _choose(root)
    path = Path(found.log) if found else _root_of(version, root) / "logs" / "server.log"
    if not path.exists():
        raise LocalServerError(f"There is no log at {path}: no server was started there.")
    size = path.stat().st_size
    if text := tail(path, lines):
        click.echo(text)
    if follow:
        for piece in _follow(path, size, found.lives if found else lambda: False):
            click.echo(piece, nl=False)


def _follow(path: Path, position: int, lives: Callable[[], bool]) -> Iterator[str]:
    """Yield what is added to a file, until its writer ends."""
    with path.open("rb") as file:
        file.seek(position)
        while True:
            last = not lives()  # asked first, so that what the writer wrote before it ended is still read
            if piece := file.read():
                yield piece.decode(errors="replace")
            if last:
                return
            time.sleep(0.2)
