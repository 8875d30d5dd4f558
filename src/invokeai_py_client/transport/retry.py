"""Retries: whether to send a failed request again, and when."""

from __future__ import annotations

import asyncio
import logging
import random
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from invokeai_py_client.errors import (
    APIRequestError,
    NotInvokeAIError,
    RequestTimeoutError,
    ServerUnreachableError,
)

logger = logging.getLogger("invokeai_py_client.http")

_FIRST_DELAY = 0.25
_LONGEST_DELAY = 8.0
_LONGEST_RETRY_AFTER = 120.0
_REFUSED_FOR_NOW = 429
_TRY_AGAIN = frozenset({_REFUSED_FOR_NOW, 502, 503, 504})


def is_passing(error: APIRequestError) -> bool:
    """Return whether an error may be temporary: the server does not respond, or a proxy reports that it does not.

    Waits tolerate such errors up to a limit.
    """
    if isinstance(error, ServerUnreachableError | RequestTimeoutError):
        return True
    return error.status_code in _TRY_AGAIN


def is_unclear(error: APIRequestError) -> bool:
    """Return whether the server may have carried out the request, because no response arrived or a proxy sent it."""
    if isinstance(error, NotInvokeAIError) or type(error) is ServerUnreachableError:
        return False  # no connection to an InvokeAI server was made
    return is_passing(error) and error.status_code != _REFUSED_FOR_NOW


def retry_delay(
    error: APIRequestError,
    *,
    attempt: int,
    max_retries: int,
    idempotent: bool,
    retry_after: float | None = None,
) -> float | None:
    """Return how many seconds to wait before the next attempt, or None to give up.

    Only requests that are safe to repeat are repeated: reads, and writes that set a state. A POST that creates
    something is not, because the server may have processed it before the response was lost.

    Args:
        error: The error of the last attempt.
        attempt: How often the request was sent so far, starting with 1.
        max_retries: How often to repeat the request.
        idempotent: Whether sending the request twice has the same effect as sending it once.
        retry_after: The server's ``Retry-After``, in seconds.
    """
    if attempt > max_retries or isinstance(error, NotInvokeAIError):
        return None
    if not idempotent and error.status_code != _REFUSED_FOR_NOW:
        return None
    # A 500 is final: InvokeAI responds with it to requests that can never succeed (an unreadable queue item, a batch
    # node in a graph).
    if not is_passing(error):
        return None
    if retry_after is not None:
        return min(max(retry_after, 0.0), _LONGEST_RETRY_AFTER)
    delay = min(_FIRST_DELAY * 2 ** (attempt - 1), _LONGEST_DELAY)
    return delay * (0.75 + random.random() * 0.5)


class Retries:
    """Counts the attempts of one request and pauses between them."""

    __slots__ = ("_attempt", "_idempotent", "_most")

    def __init__(self, max_retries: int, *, idempotent: bool = True) -> None:
        """Create a counter for a request that has not been sent yet.

        Args:
            max_retries: How often to repeat the request.
            idempotent: Whether sending the request twice has the same effect as sending it once. Defaults to True.
        """
        self._most = max_retries
        self._idempotent = idempotent
        self._attempt = 0

    def delay_after(self, error: APIRequestError) -> float | None:
        """Count a failed attempt. Return how many seconds to wait before the next attempt, or None to give up."""
        self._attempt += 1
        return retry_delay(
            error,
            attempt=self._attempt,
            max_retries=self._most,
            idempotent=self._idempotent,
            retry_after=error.retry_after,
        )

    async def pause_after(self, error: APIRequestError) -> bool:
        """Count a failed attempt and wait before the next one. Return False at once if there is no next attempt."""
        delay = self.delay_after(error)
        if delay is None:
            return False
        logger.info("%s %s failed (%s), retrying in %.2f s", error.method, error.path, error.code, delay)
        await asyncio.sleep(delay)
        return True


def parse_retry_after(text: str | None) -> float | None:
    """Return the seconds in a ``Retry-After`` header, which may contain a date, or None if it is not valid."""
    try:
        seconds = float(text or "")
    except ValueError:
        seconds = _seconds_until(text or "")
    return seconds if seconds is not None and seconds >= 0 else None  # False for "nan" as well


def _seconds_until(date: str) -> float | None:
    try:
        then = parsedate_to_datetime(date)
    except ValueError:
        return None
    return max(0.0, (then.replace(tzinfo=then.tzinfo or UTC) - datetime.now(UTC)).total_seconds())
