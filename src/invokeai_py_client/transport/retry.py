"""When to send a request again: one decision, as a function of what happened."""

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
    """Whether the trouble may be over in a while: nothing answers (yet), or a proxy says that the server does not.

    A wait goes on through it, for as long as it has patience.
    """
    if isinstance(error, ServerUnreachableError | RequestTimeoutError):
        return True
    return error.status_code in _TRY_AGAIN


def is_unclear(error: APIRequestError) -> bool:
    """Whether the server may have carried a request out whose answer this is: it never came, or is a proxy's."""
    if isinstance(error, NotInvokeAIError) or type(error) is ServerUnreachableError:
        return False  # no connection was made, or not with InvokeAI: nobody got it
    return is_passing(error) and error.status_code != _REFUSED_FOR_NOW


def retry_delay(
    error: APIRequestError,
    *,
    attempt: int,
    max_retries: int,
    idempotent: bool,
    retry_after: float | None = None,
) -> float | None:
    """How many seconds to wait before asking again, or None to give up.

    Only requests that do no harm when repeated are: reads, and writes that set a state. A POST that
    makes something is not, because its answer may have been lost after the server acted on it.

    Args:
        error: What went wrong.
        attempt: How often the request was sent so far, from 1.
        max_retries: How often it may be repeated.
        idempotent: Whether sending it twice is the same as sending it once.
        retry_after: The server's ``Retry-After``, in seconds.
    """
    if attempt > max_retries or isinstance(error, NotInvokeAIError):
        return None
    if not idempotent and error.status_code != _REFUSED_FOR_NOW:
        return None
    # Plain 500 is final: InvokeAI answers it for requests that will never work (a poisoned queue row,
    # a batch node in a graph), each time anew.
    if not is_passing(error):
        return None
    if retry_after is not None:
        return min(max(retry_after, 0.0), _LONGEST_RETRY_AFTER)
    delay = min(_FIRST_DELAY * 2 ** (attempt - 1), _LONGEST_DELAY)
    return delay * (0.75 + random.random() * 0.5)


class Retries:
    """Counts the attempts at one request, and pauses between them."""

    __slots__ = ("_attempt", "_idempotent", "_most")

    def __init__(self, max_retries: int, *, idempotent: bool = True) -> None:
        """Create a count for a request that has not been sent yet.

        Args:
            max_retries: How often it may be repeated.
            idempotent: Whether sending it twice is the same as sending it once. Defaults to True.
        """
        self._most = max_retries
        self._idempotent = idempotent
        self._attempt = 0

    def delay_after(self, error: APIRequestError) -> float | None:
        """Count a failed attempt. Returns how many seconds to wait before the next one, or None to give up."""
        self._attempt += 1
        return retry_delay(
            error,
            attempt=self._attempt,
            max_retries=self._most,
            idempotent=self._idempotent,
            retry_after=error.retry_after,
        )

    async def pause_after(self, error: APIRequestError) -> bool:
        """Count a failed attempt, and wait before the next one. Returns False, at once, to give up."""
        delay = self.delay_after(error)
        if delay is None:
            return False
        logger.info("%s %s failed (%s), again in %.2f s", error.method, error.path, error.code, delay)
        await asyncio.sleep(delay)
        return True


def parse_retry_after(text: str | None) -> float | None:
    """The seconds of a ``Retry-After`` header, which can also name a date; None where there is none."""
    try:
        seconds = float(text or "")
    except ValueError:
        seconds = _seconds_until(text or "")
    return seconds if seconds is not None and seconds >= 0 else None  # not for "nan" either


def _seconds_until(date: str) -> float | None:
    try:
        then = parsedate_to_datetime(date)
    except ValueError:
        return None
    return max(0.0, (then.replace(tzinfo=then.tzinfo or UTC) - datetime.now(UTC)).total_seconds())
