"""When to ask again: one decision, as a function of what happened."""

from __future__ import annotations

import random

from invokeai_py_client.errors import (
    APIRequestError,
    NotInvokeAIError,
    RequestTimeoutError,
    ServerUnreachableError,
)

_FIRST_DELAY = 0.25
_LONGEST_DELAY = 8.0
_LONGEST_RETRY_AFTER = 120.0
_TRY_AGAIN = frozenset({429, 502, 503, 504})


def retry_delay(
    error: APIRequestError,
    *,
    attempt: int,
    max_retries: int,
    repeatable: bool,
    retry_after: float | None = None,
) -> float | None:
    """How many seconds to wait before asking again, or None to give up.

    Only requests that do no harm when repeated are: reads, and writes that set a state. A POST that
    makes something is not, because its answer may have been lost after the server acted on it.

    Args:
        error: What went wrong.
        attempt: How often the request was sent so far, from 1.
        max_retries: How often it may be repeated.
        repeatable: Whether sending it twice is the same as sending it once.
        retry_after: The server's ``Retry-After``, in seconds.
    """
    if attempt > max_retries or isinstance(error, NotInvokeAIError):
        return None
    refused_for_now = error.status_code == 429
    if not repeatable and not refused_for_now:
        return None
    transient = isinstance(error, ServerUnreachableError | RequestTimeoutError)
    # Plain 500 is final: InvokeAI answers it for requests that will never work (a poisoned queue row,
    # a batch node in a graph), each time anew.
    if not transient and error.status_code not in _TRY_AGAIN:
        return None
    if retry_after is not None:
        return min(max(retry_after, 0.0), _LONGEST_RETRY_AFTER)
    delay = min(_FIRST_DELAY * 2 ** (attempt - 1), _LONGEST_DELAY)
    return delay * (0.75 + random.random() * 0.5)


def parse_retry_after(text: str | None) -> float | None:
    """The seconds of a ``Retry-After`` header; None where there is none or it is a date."""
    try:
        seconds = float(text or "")
    except ValueError:
        return None
    return seconds if seconds >= 0 else None  # not for "nan" either
