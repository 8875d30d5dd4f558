"""The connection of a workflow handle that has no server."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from invokeai_py_client.connection import Connection
from invokeai_py_client.errors import UsageError

if TYPE_CHECKING:
    from invokeai_py_client.schema.template import Schema
    from invokeai_py_client.transport.http import HttpTransport
    from invokeai_py_client.transport.hub import EventHub


class NoServer(Connection):
    """A connection to no server. Everything that needs a server raises an error."""

    def __init__(self) -> None:
        super().__init__(Connection.to("http://no-server.invalid").settings)

    @property
    def http(self) -> HttpTransport:
        """Raises an error."""
        self._refuse()

    @property
    def hub(self) -> EventHub:
        """Raises an error."""
        self._refuse()

    async def schema(self, *, refresh: bool = False) -> Schema:
        """Raise an error.

        Raises:
            UsageError: Always.
        """
        del refresh
        self._refuse()

    def __reduce__(self) -> tuple[type[NoServer], tuple[()]]:
        return NoServer, ()

    def _refuse(self) -> NoReturn:
        raise UsageError(
            "This workflow handle has no server: it was created for inspection. "
            "Use client.workflow_repo.create_workflow(definition) for a handle that can run."
        )
