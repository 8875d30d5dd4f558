"""How long a wait bears with a server that is silent, or away."""

from __future__ import annotations

import asyncio
import time

from invokeai_py_client.errors import APIRequestError
from invokeai_py_client.transport.retry import is_passing

# With events flowing, a read now and then catches what no event tells (an item pruned by someone else).
SILENCE = 20.0
# Without events the status is read by HTTP.
POLL = 1.0
# How long a server may be away (restarting, say) before a wait without a timeout gives up.
LONGEST_OUTAGE = 300.0


async def tolerate_outage(error: APIRequestError, since: float) -> None:
    """Wait a moment; raise the error where it will not pass, or has gone on for too long.

    Args:
        error: What a read gave.
        since: When the server last answered, by ``time.monotonic()``.
    """
    if not is_passing(error) or time.monotonic() - since > LONGEST_OUTAGE:
        raise error
    await asyncio.sleep(POLL)
