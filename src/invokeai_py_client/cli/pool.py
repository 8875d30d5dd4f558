"""``ivk pool``: several servers that work as one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from invokeai_py_client.cli.complete import complete_pools, complete_servers
from invokeai_py_client.cli.group import IvkGroup
from invokeai_py_client.cli.local_pool import check_is_down, down, up
from invokeai_py_client.cli.options import UserPath, output_options, url_option
from invokeai_py_client.cli.output import echo, emit
from invokeai_py_client.cli.pool_servers import check, ls

if TYPE_CHECKING:
    from invokeai_py_client.pool_settings import PoolSettings

F = TypeVar("F", bound=Callable[..., Any])


@click.group(cls=IvkGroup)
def pool() -> None:
    """Manage pools: several servers that work as one.

    Pools are saved in the configuration file. NAME is a pool's name. up and down are for servers on this machine.
    """


pool.add_command(up)
pool.add_command(down)
pool.add_command(ls)
pool.add_command(check)

_FILE = UserPath(dir_okay=False)


def _tls_options(command: F) -> F:
    """Add the options for the certificates of a ``tls://`` scheduler."""
    for name, text in (
        ("--tls-key", "Key of that certificate."),
        ("--tls-cert", "This machine's certificate for the scheduler."),
        ("--tls-ca", "Certificate of the scheduler's authority."),
    ):
        command = click.option(name, metavar="FILE", type=_FILE, help=text)(command)
    return command


@pool.command()
@click.argument("name", metavar="NAME")
@click.argument("servers", metavar="[SERVER]...", nargs=-1, shell_complete=complete_servers)
@click.option("--scheduler", metavar="ADDRESS", help="Dask scheduler of the pool, such as tls://login1:8786.")
@_tls_options
@output_options
def add(
    name: str,
    servers: tuple[str, ...],
    scheduler: str | None,
    tls_ca: Path | None,
    tls_cert: Path | None,
    tls_key: Path | None,
    as_json: bool,
) -> None:
    """Save a pool in the configuration file.

    SERVER is the name of a profile saved with `ivk login`, or a URL. No request is sent.

    \b
      ivk pool add lab gpu1 gpu2 http://localhost:9090
      ivk pool add campus --scheduler tls://login1:8786 --tls-ca ca.pem \\
        --tls-cert me.pem --tls-key me.key
    """
    from invokeai_py_client._paths import absolute_path
    from invokeai_py_client.pool_settings import PoolSettings, keep_pool

    files = [None if file is None else absolute_path(file) for file in (tls_ca, tls_cert, tls_key)]
    path = keep_pool(PoolSettings(name, servers, scheduler, *files))
    if as_json:
        emit({"event": "result", "ok": True, "pool": name, "file": str(path)})
    else:
        echo(f"Saved pool {name!r} in {path}.")


@pool.command()
@click.argument("name", metavar="NAME", shell_complete=complete_pools)
@output_options
def rm(name: str, as_json: bool) -> None:
    """Remove a pool from the configuration file. Its servers keep running.

    A pool that `ivk pool up` started is removed by `ivk pool down`.
    """
    from invokeai_py_client.pool_settings import forget_pool

    check_is_down(name)
    path = forget_pool(name)
    if as_json:
        emit({"event": "result", "ok": True, "pool": name, "file": str(path)})
    else:
        echo(f"Removed pool {name!r} from {path}.")


@pool.command()
@click.argument("scheduler", metavar="SCHEDULER", shell_complete=complete_pools)
@url_option
@click.option(
    "--root",
    metavar="DIR",
    type=UserPath(file_okay=False),
    help="Start a server on this root folder instead.",
)
@click.option("--name", metavar="NAME", help="Name of the server in the pool. Defaults to its host and port.")
@_tls_options
def join(
    scheduler: str,
    url: str | None,
    root: Path | None,
    name: str | None,
    tls_ca: Path | None,
    tls_cert: Path | None,
    tls_key: Path | None,
) -> None:
    """Let a server take part in the pools of a Dask scheduler.

    SCHEDULER is the address of the scheduler, or the name of a pool in the configuration file that has one.

    This runs a Dask worker next to the server until it is stopped. The server must be reachable from this machine
    only. With --root, the worker starts the server, starts it again if it ends, and stops it.

    \b
      ivk pool join tls://head:8786 --tls-ca ca.pem --tls-cert me.pem \\
        --tls-key me.key
      ivk pool join campus --root /scratch/invokeai
    """
    from invokeai_py_client._given import refuse_empty
    from invokeai_py_client._paths import absolute_path
    from invokeai_py_client.config import choose
    from invokeai_py_client.errors import UsageError
    from invokeai_py_client.pool.dask_engine import check_installed
    from invokeai_py_client.pool_settings import check_pool, choose_pool

    refuse_empty(name=name)
    check_installed()
    chosen = choose_pool(scheduler)
    if chosen.scheduler is None:
        raise UsageError(
            f"The pool {scheduler!r} has no scheduler: the client reaches its servers by their URLs. Pass the "
            "address of a Dask scheduler, such as tls://head:8786."
        )
    given = {"tls_ca": tls_ca, "tls_cert": tls_cert, "tls_key": tls_key}
    files = {key: absolute_path(file) for key, file in given.items() if file is not None}
    chosen = check_pool(replace(chosen, **files))
    if root is not None and url is not None:
        raise UsageError(
            "Pass either --url or --root, not both: a server that is started gets a URL of its own."
        )
    if root is None:
        choose(url)  # an error in the URL or the configuration would only be in the worker's log
    if url is not None:
        os.environ["INVOKEAI_URL"] = (
            url  # other users of this machine see arguments, and it may contain a password
        )
    _warn_if_open(chosen)
    command = _worker_command(chosen, root, name)
    if os.name == "nt":  # there, exec would return to the shell at once
        sys.exit(subprocess.call(command))
    os.execv(command[0], command)


def _worker_command(pool: PoolSettings, root: Path | None, name: str | None) -> list[str]:
    """Return the command that runs a worker with an agent."""
    from invokeai_py_client._paths import absolute_path

    options = {
        "--tls-ca-file": pool.tls_ca,
        "--tls-cert": pool.tls_cert,
        "--tls-key": pool.tls_key,
        "--preload": "invokeai_py_client.pool.dask_worker",  # what follows is for the preloaded module
        "--root": None if root is None else absolute_path(root),
        "--agent": name,
    }
    given = [str(part) for option in options.items() if option[1] is not None for part in option]
    worker = [sys.executable, "-m", "dask", "worker", str(pool.scheduler)]
    return [*worker, "--nthreads", "2", "--memory-limit", "0", "--no-dashboard", *given]


def _warn_if_open(pool: PoolSettings) -> None:
    """Warn if the connection to the scheduler is not encrypted and leaves this machine."""
    from urllib.parse import urlsplit

    from invokeai_py_client.transport.settings import ServerAddress

    parts = urlsplit(str(pool.scheduler))
    is_here = ServerAddress(f"http://{parts.netloc}").is_loopback
    if parts.scheme not in ("tls", "wss") and not is_here:
        echo(
            f"Warning: {pool.scheduler} is not encrypted. Everybody who reaches the scheduler can run programs on this "
            "machine, as you. Use tls:// with certificates, or an SSH tunnel.",
            err=True,
        )
