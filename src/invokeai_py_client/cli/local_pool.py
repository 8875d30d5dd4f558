"""``ivk pool up`` and ``ivk pool down``: pools of servers on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from invokeai_py_client._paths import absolute_path
from invokeai_py_client.cli.complete import complete_pools
from invokeai_py_client.cli.group import IvkCommand
from invokeai_py_client.cli.options import (
    UserPath,
    host_option,
    output_options,
    startup_option,
    tiny_models_option,
    version_option,
)
from invokeai_py_client.cli.output import counted, echo, emit, hint, say
from invokeai_py_client.cli.tables import Column, show_table
from invokeai_py_client.errors import UsageError

if TYPE_CHECKING:
    from invokeai_py_client.server.local_servers import LocalServers

_FOLDER = UserPath(file_okay=False)


@click.command(cls=IvkCommand)
@click.option(
    "-n",
    "--servers",
    "count",
    metavar="N",
    type=click.IntRange(1),
    default=2,
    show_default=True,
    help="Number of servers.",
)
@click.option("--name", metavar="NAME", default="local", show_default=True, help="Name of the pool.")
@version_option
@click.option(
    "--root",
    metavar="DIR",
    type=_FOLDER,
    help="Folder for the root folders of the servers. Defaults to the pool's folder in the user's data directory.",
)
@click.option(
    "--port",
    metavar="PORT",
    type=click.IntRange(1, 65535),
    help="Port of the first server; the others follow. Defaults to free ports.",
)
@host_option
@click.option(
    "--models-from",
    metavar="DIR",
    type=_FOLDER,
    help="Root folder of an InvokeAI whose models the servers use as well. They are not copied.",
)
@tiny_models_option
@startup_option
@output_options
def up(
    count: int,
    name: str,
    version: str,
    root: Path | None,
    port: int | None,
    host: str,
    models_from: Path | None,
    tiny_models: bool,
    timeout: float,
    as_json: bool,
) -> None:
    """Start several servers on this machine in the background, as a pool.

    Prints the URL of each server and the memory it uses, and saves the pool in the configuration file. All servers have
    the same models: those of any server are shared with the others, without copying files. With several GPUs, each
    server uses its own.

    If servers of the pool are already running, the missing ones are started, and new models are shared.

    \b
      ivk pool up -n 2 --models-from ~/invokeai
      ivk sweep portrait.json -s seed=0..99 --pool local
      ivk pool down
    """
    from invokeai_py_client.pool_settings import PoolSettings, check_pool_name, keep_pool
    from invokeai_py_client.server.local_servers import LocalServers
    from invokeai_py_client.server.paths import default_pool_root

    check_pool_name(name)
    old = _root(
        name,
        f"A pool named {name!r} is in the configuration file, and `ivk pool up` did not write it. Choose another name "
        f"with --name, or remove that pool first: ivk pool rm {name}",
    )
    folder = absolute_path(root) if root is not None else old or default_pool_root(name)
    if old is not None and old != folder:
        _check_stopped(name, LocalServers.find(old))
    running = LocalServers.find(folder)
    if running is not None and len(running.servers) > count:
        _check_stopped(name, running)
    local = LocalServers(
        count,
        version,
        root=folder,
        port=port,
        host=host,
        models_from=models_from,
        tiny_models=tiny_models,
        detached=True,
        say=say,
    ).start(timeout)
    already = running is not None and running.urls == local.urls
    try:
        keep_pool(PoolSettings(name, tuple(local.urls), root=folder), replace=True)
    except BaseException:
        if running is None:
            local.stop()
        raise
    if already and not as_json:
        say("Already running.")
    _show(local, as_json)
    if as_json:
        emit({"event": "result", "ok": True, "pool": name, "servers": count, "already": already})
    hint(f"Use it: ivk sweep FILE --pool {name}    Stop it: ivk pool down {name}", as_json)


def _root(name: str, message: str) -> Path | None:
    """Return the folder of a local pool, or None if the configuration file has no pool with this name.

    Raises:
        UsageError: `ivk pool up` did not write the pool. The error has the message.
    """
    from invokeai_py_client.pool_settings import local_root, pool_names

    found = local_root(name)
    if found is None and name in pool_names():
        raise UsageError(message)
    return found


def check_is_down(name: str) -> None:
    """Check that no server of a local pool is running.

    Raises:
        UsageError: A server is running.
    """
    from invokeai_py_client.pool_settings import local_root
    from invokeai_py_client.server.local_servers import LocalServers

    root = local_root(name)
    if root is not None:
        _check_stopped(name, LocalServers.find(root))


def _check_stopped(name: str, running: LocalServers | None) -> None:
    if running is not None:
        servers = counted(len(running.servers), "running server")
        raise UsageError(
            f"Pool {name!r} already has {servers} in {running.root}: {', '.join(running.urls)}. Stop "
            f"{'it' if len(running.servers) == 1 else 'them'} first: ivk pool down {name}"
        )


def _show(local: LocalServers, as_json: bool) -> None:
    """Print a line for each server."""
    rows = list(zip(local.servers, local.memory(), strict=True))
    if as_json:
        for server, memory in rows:
            facts = server.state.to_dict()
            emit({"event": "server", **facts, "memory": memory.resident, "gpu_memory": memory.gpu})
        return
    columns = [Column("server"), Column("memory", right=True), Column("process", right=True)]
    cells = [[server.url, _size(memory.resident), str(server.pid)] for server, memory in rows]
    if any(memory.gpu is not None for _, memory in rows):
        columns.append(Column("GPU memory", right=True))
        cells = [[*row, _size(memory.gpu)] for row, (_, memory) in zip(cells, rows, strict=True)]
    show_table(columns, cells)


def _size(count: int | None) -> str:
    from rich.filesize import decimal

    return "" if count is None else decimal(count)


@click.command(cls=IvkCommand)
@click.argument("name", metavar="[NAME]", default="local", shell_complete=complete_pools)
@output_options
def down(name: str, as_json: bool) -> None:
    """Stop the servers of a pool that `ivk pool up` started, and remove the pool from the configuration file.

    NAME defaults to 'local'. The images and models of the servers are kept.
    """
    from invokeai_py_client.pool_settings import check_pool_name, forget_pool
    from invokeai_py_client.server.local_servers import LocalServers
    from invokeai_py_client.server.paths import default_pool_root

    check_pool_name(name)
    root = _root(
        name,
        f"`ivk pool up` did not start the servers of pool {name!r}, so they are not stopped. To remove the pool from "
        f"the configuration file, run: ivk pool rm {name}",
    )
    folder = root or default_pool_root(name)
    local = LocalServers.find(folder)
    stopped: list[dict[str, Any]] = []
    if local is not None:
        stopped = [server.state.to_dict() for server in local.servers]
        local.stop()
    if root is not None:
        forget_pool(name)
    if as_json:
        emit({"event": "result", "ok": True, "pool": name, "stopped": stopped})
    elif stopped:
        urls = ", ".join(one["url"] for one in stopped)
        echo(f"Stopped {counted(len(stopped), 'server')} of pool {name!r}: {urls}")
    else:
        echo(f"No server of pool {name!r} is running.")
