"""Whether a server still responds while it works on orders."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from invokeai_py_client.api.app import AsyncAppApi
from invokeai_py_client.errors import APIRequestError, ServerUnreachableError
from invokeai_py_client.transport import timing

if TYPE_CHECKING:
    from invokeai_py_client.connection import Connection

# How long a server has to respond, in seconds.
_PATIENCE = 5.0
# How many polling intervals pass between two questions while events can arrive. A hung server keeps its connections.
_RARELY = 5
# How long a server may refuse connections while another one can do its runs, in seconds. It is being restarted at best.
_REFUSED = 3.0


async def find_trouble(connection: Connection) -> APIRequestError | None:
    """Return why a server does not respond, or None if it does."""
    try:
        await connection.part(AsyncAppApi).app_version(timeout=_PATIENCE)
    except APIRequestError as error:
        return error
    return None


async def until_lost(connection: Connection, *, others: bool) -> APIRequestError:
    """Return why a server counts as lost, when it has not responded for too long.

    Args:
        connection: The server. Its ``outage_timeout`` is the longest time, in seconds.
        others: Whether another server can do its runs. Then refused connections are tolerated for 3 seconds only.
    """
    since: float | None = None
    turn = 0
    while True:
        await asyncio.sleep(timing.POLL)
        turn += 1
        if since is None and connection.hub.connected and turn % _RARELY:
            continue
        asked = time.monotonic()
        error = await find_trouble(connection)
        if error is None:
            since = None
            continue
        since = since if since is not None else asked
        longest = connection.settings.outage_timeout
        if others and type(error) is ServerUnreachableError:  # its subclasses are other faults than a refusal
            longest = min(longest, _REFUSED)
        if time.monotonic() - since >= longest:
            return error
