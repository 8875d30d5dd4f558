"""Timeouts and polling intervals of everything that waits for a server, in seconds."""

from __future__ import annotations

import asyncio
import time

from invokeai_py_client.errors import APIRequestError
from invokeai_py_client.transport.retry import is_passing

SILENCE = 20.0
"""While events arrive, a read after this silence finds changes that no event announces (a pruned item)."""
POLL = 1.0
"""Without an event connection, the state is read this often by HTTP."""
LONGEST_OUTAGE = 300.0
"""How long a server may be away (restarting, for example) before a wait without a timeout gives up."""
MOMENT = 0.3
"""A run that is still pending after this long is in a queue, and its position is worth a request."""

QUEUE_SILENCE = 10.0
"""The same as ``SILENCE`` for a whole queue that is to become idle."""
LATE_EVENTS = 1.0
"""How long to wait for the last events of items that have ended according to the queue's status."""

QUEUE_FULL = 5.0
"""How often a sweep tries to send to a full queue that has none of its runs."""

INSTALL_FIRST_POLL = 0.05
"""A local model is installed in a fraction of a second, a large one in minutes: the job is read often at first."""
INSTALL_SILENCE = 5
"""With an event connection, an installation is read this many times less often."""

# The zip can be fetched only once, even while the server is still writing it: then a part is sent and the rest is
# lost (6.14.2). So without an event, it is fetched only after some time, and later each time.
ZIP_SILENCE = 30.0
ZIP_POLL = 1.0
ZIP_LONGEST = 60.0


async def tolerate_outage(error: APIRequestError, since: float) -> None:
    """Wait a moment. Raise the error instead if it is permanent, or if the outage has lasted too long.

    Args:
        error: The error of a read.
        since: When the server last responded, by ``time.monotonic()``.
    """
    if not is_passing(error) or time.monotonic() - since > LONGEST_OUTAGE:
        raise error
    await asyncio.sleep(POLL)
