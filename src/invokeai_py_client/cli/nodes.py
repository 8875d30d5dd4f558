"""``ivk nodes``: the server's node types and its packs of custom nodes."""

from __future__ import annotations

import sys

import click

from invokeai_py_client.cli.complete import complete_node_packs, complete_packs
from invokeai_py_client.cli.group import IvkGroup
from invokeai_py_client.cli.options import connect, output_options, url_option, yes_option
from invokeai_py_client.cli.output import confirm, counted, echo, emit, hint, is_watched, say
from invokeai_py_client.cli.partial import try_each
from invokeai_py_client.cli.progress import waiting
from invokeai_py_client.cli.tables import Column, show_table
from invokeai_py_client.errors import UnknownNameError


@click.group(cls=IvkGroup)
def nodes() -> None:
    """List node types, and install packs of custom nodes."""


@nodes.command("types")
@click.option(
    "--pack",
    metavar="PACK",
    shell_complete=complete_node_packs,
    help="Only nodes of this pack. Those of InvokeAI are in invokeai.",
)
@click.option(
    "--category",
    metavar="CATEGORY",
    shell_complete=complete_node_packs,
    help="Only nodes of this category, such as math.",
)
@url_option
@output_options
def types(pack: str | None, category: str | None, url: str | None, as_json: bool) -> None:
    """List the node types that workflows can use."""
    with connect(url) as client:
        found = client.nodes.list_nodes(pack=pack, category=category)
    if as_json:
        for node in found:
            facts = {"title": node.title, "category": node.category, "version": node.version}
            emit({"event": "node", "name": node.type, **facts, "pack": node.node_pack})
        emit({"event": "result", "ok": True, "nodes": len(found)})
        return
    columns = [
        Column("type"),
        Column("title", whole=False),
        Column("category", whole=False),
        Column("version"),
        Column("pack", whole=False),
    ]
    show_table(columns, [[one.type, one.title, one.category, one.version, one.node_pack] for one in found])


@nodes.command("ls")
@url_option
@output_options
def list_(url: str | None, as_json: bool) -> None:
    """List packs of custom nodes. For administrators."""
    with connect(url) as client:
        found = client.nodes.list_packs()
    if as_json:
        for pack in found:
            emit({"event": "pack", **pack.to_dict()})
        emit({"event": "result", "ok": True, "packs": len(found)})
        return
    columns = [Column("pack"), Column("nodes", right=True), Column("folder", whole=False)]
    if found or not is_watched(sys.stdout):
        show_table(columns, [[pack.name, str(len(pack.node_types)), pack.path] for pack in found])
    hint("List the nodes of a pack: ivk nodes types --pack PACK" if found else "No packs of custom nodes.")


@nodes.command("install")
@click.argument("sources", metavar="SOURCES...", nargs=-1, required=True)
@url_option
@output_options
def install(sources: tuple[str, ...], url: str | None, as_json: bool) -> None:
    """Install packs of custom nodes from git repositories. Prints their names. For administrators.

    A pack is a program that runs on the server with all of the server's rights: install only packs that you trust.
    Python packages that a pack needs are not installed.

    \b
      ivk nodes install https://github.com/owner/name
    """
    with connect(url) as client:
        for source in sources:
            with waiting(f"Installing {source}", as_json):
                pack = client.nodes.install_pack(source)
            if as_json:
                emit({"event": "pack", **pack.to_dict()})
            else:
                echo(pack.name)
                say(f"Installed {pack.name} with {counted(len(pack.node_types), 'node')}.")
            if pack.dependency_file:
                say(f"{pack.name} needs other Python packages: see its file {pack.dependency_file}.")
    if as_json:
        emit({"event": "result", "ok": True, "packs": len(sources)})


@nodes.command("rm")
@click.argument("names", metavar="PACKS...", nargs=-1, required=True, shell_complete=complete_packs)
@yes_option
@url_option
@output_options
def rm(names: tuple[str, ...], yes: bool, url: str | None, as_json: bool) -> None:
    """Delete packs of custom nodes, and the workflows that came with them. For administrators."""
    from invokeai_py_client._names import unknown

    with connect(url) as client:
        packs = {pack.name: pack for pack in client.nodes.list_packs()}
        for name in names:
            if name not in packs:
                message, close = unknown("node pack", name, packs)
                raise UnknownNameError(message, name, close)
        found = {name: packs[name] for name in names}
        confirm(f"Delete {', '.join(map(repr, found))} and the workflows that came with them?", yes)
        gone, error = try_each(
            found, client.nodes.uninstall_pack, what="deleted", kind="node pack", label=lambda pack: pack.name
        )
    if as_json:
        emit({"event": "result", "ok": error is None, "packs": len(gone), "names": list(gone)})
    else:
        say(f"Deleted {counted(len(gone), 'node pack')}.")
    if error is not None:
        raise error


@nodes.command("reload")
@url_option
@output_options
def reload(url: str | None, as_json: bool) -> None:
    """Load the packs in the server's folder of custom nodes again. For administrators."""
    with connect(url) as client:
        found = client.nodes.reload()
    empty = [pack.name for pack in found if not pack.node_types]
    if as_json:
        emit({"event": "result", "ok": True, "packs": len(found), "without_nodes": empty})
        return
    say(f"Loaded {counted(len(found), 'node pack')}.")
    if empty:
        say(f"Without nodes: {', '.join(empty)}. If a pack should have nodes, see the server's log.")
