"""``ivk pool``: several servers that work as one."""

from __future__ import annotations

from pathlib import Path

import click

from invokeai_py_client.cli.complete import complete_pools, complete_servers
from invokeai_py_client.cli.group import IvkGroup
from invokeai_py_client.cli.local_pool import check_is_down, down, up
from invokeai_py_client.cli.options import UserPath, output_options
from invokeai_py_client.cli.output import echo, emit
from invokeai_py_client.cli.pool_servers import check, ls


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


@pool.command()
@click.argument("name", metavar="NAME")
@click.argument("servers", metavar="[SERVER]...", nargs=-1, shell_complete=complete_servers)
@click.option("--scheduler", metavar="ADDRESS", help="Dask scheduler of the pool, such as tls://login1:8786.")
@click.option("--tls-ca", metavar="FILE", type=_FILE, help="Certificate of the scheduler's authority.")
@click.option("--tls-cert", metavar="FILE", type=_FILE, help="Your certificate for the scheduler.")
@click.option("--tls-key", metavar="FILE", type=_FILE, help="Key of your certificate.")
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
