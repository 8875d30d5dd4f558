"""``ivk pool ls`` and ``ivk pool check``: the servers of a pool, and what each of them lacks for a workflow."""

from __future__ import annotations

import click

from invokeai_py_client.cli.complete import complete_pools
from invokeai_py_client.cli.group import IvkCommand
from invokeai_py_client.cli.options import connect_pool, output_options, pool_option, workflow_argument
from invokeai_py_client.cli.output import echo, emit
from invokeai_py_client.cli.tables import Column, show_table
from invokeai_py_client.errors import NotReadyError, ServerUnreachableError, UsageError


@click.command(cls=IvkCommand)
@click.argument("pool", metavar="[POOL]", required=False, shell_complete=complete_pools)
@output_options
def ls(pool: str | None, as_json: bool) -> None:
    """List the pools in the configuration file, or the servers of a pool.

    \b
      ivk pool ls
      ivk pool ls lab
    """
    if pool is None:
        _list_pools(as_json)
    else:
        _list_servers(pool, as_json)


@click.command(cls=IvkCommand)
@workflow_argument
@pool_option
@output_options
def check(workflow: str, pool: str | None, as_json: bool) -> None:
    """Check which servers of a pool can run a workflow with its values.

    A server needs the same models, which are recognized by the hash of their files, and the same node types. Nothing is
    sent to the queues. Fails if no server can run it.

    \b
      ivk pool check portrait.json --pool lab
    """
    if pool is None:
        raise UsageError("Missing --pool. Pass the name of a pool: ivk pool check WORKFLOW --pool lab")
    with connect_pool(pool) as servers:
        handle = servers.create_workflow(workflow)
        problems = servers.check(handle, handle.sweep_plan({}))
    for name, reasons in problems.items():
        if as_json:
            emit({"server": name, "fits": not reasons, "reasons": reasons})
            continue
        echo(f"{name}: {'OK' if not reasons else ' '.join(reasons)}")
    if all(problems.values()):
        raise NotReadyError(f"No server of the pool {pool!r} can run {handle.definition.name!r}.")


def _list_pools(as_json: bool) -> None:
    from invokeai_py_client._text import hide_secrets
    from invokeai_py_client.pool_settings import pool_names, read_pool

    rows: list[tuple[str, str]] = []
    for name in pool_names():
        pool = read_pool(name)
        servers = [hide_secrets(server) for server in pool.servers]
        if as_json:
            emit({"name": name, "servers": servers, "scheduler": pool.scheduler})
        rows.append((name, pool.scheduler or ", ".join(servers)))
    if not as_json:
        show_table([Column("name"), Column("servers", whole=False)], rows)


def _list_servers(pool: str, as_json: bool) -> None:
    with connect_pool(pool) as servers:
        unreachable: ServerUnreachableError | None = None
        try:
            found = servers.start()
        except ServerUnreachableError as error:
            unreachable, found = error, servers.servers
    rows: list[list[str]] = []
    for server in found:
        if as_json:
            emit(
                {
                    "name": server.name,
                    "url": server.url,
                    "state": server.state.value,
                    "why": server.why,
                    "version": server.version,
                    "devices": server.devices,
                }
            )
        rows.append([server.name, server.state.value, server.version, str(server.devices), server.why])
    if not as_json:
        columns = [Column("server"), Column("state"), Column("version"), Column("devices", right=True)]
        show_table([*columns, Column("reason", whole=False)], rows)
    if unreachable is not None:
        raise unreachable
