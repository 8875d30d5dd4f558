"""Retries: whether to send a failed request again, and when."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from invokeai_py_client.errors import (
    APIRequestError,
    MaintenanceError,
    NotInvokeAIError,
    RequestTimeoutError,
    ServerUnreachableError,
)
from invokeai_py_client.transport import timing

P = ParamSpec("P")
T = TypeVar("T")

logger = logging.getLogger("invokeai_py_client.http")

_FIRST_DELAY = 0.25
_LONGEST_DELAY = 8.0
_MOST_DOUBLINGS = 10
_LONGEST_RETRY_AFTER = 120.0
_REFUSED_FOR_NOW = 429
_TRY_AGAIN = frozenset({_REFUSED_FOR_NOW, 502, 503, 504})


def is_passing(error: APIRequestError) -> bool:
    """Return whether an error may be temporary: the server does not respond, a proxy reports that, or it moves images.

    Waits tolerate such errors up to a limit.
    """
    if isinstance(error, ServerUnreachableError | RequestTimeoutError | MaintenanceError):
        return True
    return error.status_code in _TRY_AGAIN


def is_unclear(error: APIRequestError) -> bool:
    """Return whether the server may have carried out the request, because no response arrived or a proxy sent it."""
    if isinstance(error, NotInvokeAIError) or type(error) is ServerUnreachableError:
        return False  # no connection to an InvokeAI server was made
    return is_passing(error) and not is_refusal(error)


def is_refusal(error: APIRequestError) -> bool:
    """Return whether the server refused the request for now, without carrying it out."""
    return error.status_code == _REFUSED_FOR_NOW or isinstance(error, MaintenanceError)


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
    if not idempotent and not is_refusal(error):
        return None
    # A 500 is final: InvokeAI responds with it to requests that can never succeed (an unreadable queue item, a batch
    # node in a graph).
    if not is_passing(error):
        return None
    if retry_after is not None:
        return min(max(retry_after, 0.0), _LONGEST_RETRY_AFTER)
    delay = min(_FIRST_DELAY * 2 ** min(attempt - 1, _MOST_DOUBLINGS), _LONGEST_DELAY)
    return delay * (0.75 + random.random() * 0.5)


_patient: ContextVar[bool] = ContextVar("invokeai_py_client_patient", default=False)


@contextmanager
def patiently() -> Generator[None]:
    """Let the reads inside a ``with`` block tolerate outages like waits do.

    Do not yield from an asynchronous generator inside the block: the caller would become patient, too.
    """
    token = _patient.set(True)
    try:
        yield
    finally:
        _patient.reset(token)


def patient(function: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, Coroutine[Any, Any, T]]:
    """Let the reads of a coroutine function tolerate outages like waits do.

    This is for everything that follows a run: its results, and the downloads and records of its images.
    """

    @wraps(function)
    async def call(*args: P.args, **kwargs: P.kwargs) -> T:
        with patiently():
            return await function(*args, **kwargs)

    return call


def is_patient() -> bool:
    """Return whether the running code tolerates outages."""
    return _patient.get()


class Outage:
    """A time in which a server does not respond. Everything that tolerates outages measures them with this class."""

    __slots__ = ("_attempt", "_longest", "_since", "_suspended")

    def __init__(self, longest: float) -> None:
        """Create an outage that has not begun.

        Args:
            longest: How many seconds to tolerate. 0 raises the first error.
        """
        self._longest = longest
        self._since: float | None = None
        self._suspended = 0.0
        self._attempt = 0

    def end(self) -> None:
        """Record that the server has responded."""
        self._since = None
        self._attempt = 0

    async def tolerate(self, error: APIRequestError) -> None:
        """Wait a moment before the next attempt, or raise the error.

        Args:
            error: The error of an attempt. It is raised if it is permanent, or if the outage has lasted too long.
        """
        now = time.monotonic()
        if self._since is None:
            self._since, self._suspended = now, 0.0
        if not is_passing(error) or now - self._since - self._suspended >= self._longest:
            raise error
        pause = error.retry_after or min(_FIRST_DELAY * 2 ** min(self._attempt, _MOST_DOUBLINGS), timing.POLL)
        pause = min(pause, _LONGEST_RETRY_AFTER)
        self._attempt += 1
        logger.info("%s %s failed (%s), retrying in %.2f s", error.method, error.path, error.code, pause)
        await asyncio.sleep(pause)
        # The time in which this process was suspended is not part of the outage.
        self._suspended += max(0.0, time.monotonic() - now - pause)


class Retries:
    """Counts the attempts of one request and pauses between them."""

    __slots__ = ("_attempt", "_idempotent", "_most", "_outage", "_responded")

    def __init__(self, max_retries: int, *, idempotent: bool = True, outage: Outage | None = None) -> None:
        """Create a counter for a request that has not been sent yet.

        Args:
            max_retries: How often to repeat the request.
            idempotent: Whether sending the request twice has the same effect as sending it once. Defaults to True.
            outage: Tolerates attempts without a response. Defaults to None: these count like all others.
        """
        self._most = max_retries
        self._idempotent = idempotent
        self._outage = outage
        self._attempt = 0
        self._responded = False

    def responded(self) -> None:
        """Record that the server has begun to respond to the current attempt."""
        self._responded = True
        if self._outage is not None:
            self._outage.end()

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
        """Count a failed attempt and wait before the next one. Return False at once if there is no next attempt.

        Raises:
            APIRequestError: The outage has lasted too long.
        """
        responded, self._responded = self._responded, False
        may_repeat = self._idempotent or isinstance(error, MaintenanceError)
        if self._outage is not None and may_repeat and not responded and is_passing(error):
            await self._outage.tolerate(error)
            return True
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
