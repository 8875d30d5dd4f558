"""The node types of a server, and its packs of custom nodes."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from invokeai_py_client._given import refuse_empty, require
from invokeai_py_client._names import unknown
from invokeai_py_client._text import hide_secrets
from invokeai_py_client.api.custom_nodes import AsyncCustomNodesApi
from invokeai_py_client.connection import Resource
from invokeai_py_client.errors import APIRequestError, UnknownNameError, UsageError
from invokeai_py_client.models.administration import IvkNodePack
from invokeai_py_client.models.base import as_mapping

if TYPE_CHECKING:
    from invokeai_py_client.schema.template import NodeTemplate

# The server stops cloning a repository after 120 s (6.14.2), and then loads the pack.
_LONG = 300.0


class AsyncNodeRepository(Resource):
    """The node types of a server, and its packs of custom nodes.

    Packs are for administrators (InvokeAI 6.13+). A pack is a program that runs on the server with all of the server's
    rights: install only packs that you trust.

    Example:
        ```python
        for node in await client.nodes.list_nodes(category="math"):
            print(node.type, node.title, node.version)
        ```
    """

    async def list_nodes(self, *, pack: str | None = None, category: str | None = None) -> list[NodeTemplate]:
        """List the node types that workflows can use, sorted by type. For every user.

        Args:
            pack: Only nodes of this pack. Those of InvokeAI itself are in ``"invokeai"``. Defaults to all.
            category: Only nodes of this category, such as ``"math"``. Defaults to all.

        Raises:
            UnknownNameError: No node has this pack or category.
        """
        refuse_empty(pack=pack, category=category)
        nodes = sorted((await self.connection.schema()).values(), key=lambda node: node.type)
        for kind, wanted in (("node_pack", pack), ("category", category)):
            if wanted is not None:
                known = {str(getattr(node, kind)) for node in nodes}
                if wanted not in known:
                    message, close = unknown(kind.replace("_", " "), wanted, sorted(known))
                    raise UnknownNameError(message, wanted, close)
                nodes = [node for node in nodes if getattr(node, kind) == wanted]
        return nodes

    async def list_packs(self) -> list[IvkNodePack]:
        """List the packs of custom nodes. For administrators. InvokeAI 6.13+."""
        response = as_mapping(
            await self.connection.part(AsyncCustomNodesApi).list_custom_node_packs(expect=dict)
        )
        return [IvkNodePack.from_api_response(one) for one in response.get("node_packs") or ()]

    async def install_pack(self, source: str) -> IvkNodePack:
        """Install a pack of custom nodes from a git repository, and load its nodes. For administrators. InvokeAI 6.13+.

        The server clones the repository into its folder of custom nodes, under the last part of the address. Workflows
        in the pack are added to the library. Python packages that the pack needs are not installed: see
        ``dependency_file``.

        Args:
            source: The address of the repository, as for ``git clone`` on the server's machine.

        Returns:
            The pack, with the types of its nodes. They can be used at once.

        Raises:
            UsageError: The address is empty or begins with a hyphen. Nothing was sent.
            APIRequestError: The server has a pack of this name, cannot clone the repository, or cannot load its nodes.
        """
        require("the address of a git repository, such as 'https://github.com/owner/name'", source=source)
        if source.strip().startswith("-"):
            raise UsageError(
                f"source: {hide_secrets(repr(source))} is not valid; expected the address of a git repository, such as "
                "'https://github.com/owner/name'."
            )
        with _explained(f"could not install the node pack {source!r}"):
            response = as_mapping(
                await self.connection.part(AsyncCustomNodesApi).install_custom_node_pack(
                    source=source.strip(), timeout=_LONG
                )
            )
        await self.connection.schema(refresh=True)
        name = str(response.get("name") or "")
        found = next((pack for pack in await self.list_packs() if pack.name == name), IvkNodePack(name=name))
        found.workflows_imported = response.get("workflows_imported")
        found.dependency_file = response.get("dependency_file")
        return found

    async def uninstall_pack(self, pack: IvkNodePack | str) -> None:
        """Delete a pack of custom nodes, and the workflows that came with it. For administrators. InvokeAI 6.13+.

        Args:
            pack: The pack, or its name.

        Raises:
            UnknownNameError: The server has no pack with this name.
            APIRequestError: The server could not delete it.
        """
        name = pack if isinstance(pack, str) else pack.name
        require("the name of a node pack", pack=name)
        names = [one.name for one in await self.list_packs()]
        if name not in names:
            message, close = unknown("node pack", name, names)
            raise UnknownNameError(message, name, close)
        with _explained(f"could not delete the node pack {name!r}"):
            await self.connection.part(AsyncCustomNodesApi).uninstall_custom_node_pack(name)
        await self.connection.schema(refresh=True)

    async def reload(self) -> list[IvkNodePack]:
        """Load the packs in the server's folder of custom nodes again. For administrators. InvokeAI 6.13+.

        The file ``__init__.py`` of every pack runs again. Other modules that a pack imports are not read again if they
        are already loaded (6.14.2): restart the server if those have changed.

        Returns:
            All packs. One without nodes could not be loaded: see the server's log.
        """
        await self.connection.part(AsyncCustomNodesApi).reload_custom_nodes()
        await self.connection.schema(refresh=True)
        return await self.list_packs()


@contextmanager
def _explained(what: str) -> Generator[None]:
    """Say what failed if the server reports a failure with status 200. Of a traceback, only the last line is shown."""
    try:
        yield
    except APIRequestError as error:
        if error.status_code != 200:
            raise
        lines = str(as_mapping(error.payload).get("message") or "").strip().splitlines()
        reason = lines[-1] if lines and "Traceback" in lines[0] else " ".join(lines)
        raise APIRequestError(
            200,
            error.payload,
            hide_secrets(f"The server {what}: {reason.rstrip('.') or 'no reason reported'}."),
            method=error.method,
            path=error.path,
            request_id=error.request_id,
        ) from None
