"""Faults for requests and events, and functions that choose them; used by ``proxy``."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

# --------------------------------------------------------------------------- faults of requests


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault of one request.

    Attributes:
        name: The name under which it is counted.
        delay: Seconds before the request is forwarded, even if the client has disconnected by then.
        forward: Whether the server receives the request.
        keep: How many bytes of the response the client receives before its connection breaks. None means all.
        silent: Whether the client never receives a response, although the connection stays open.
        held: Whether the response is held back until the proxy releases it.
        status: The status with which the proxy itself responds.
        headers: The headers of that response.
        waits: Whether the request is held back until the proxy releases it.
        ends: Whether the proxy closes its port for good.
    """

    name: str
    delay: float = 0.0
    forward: bool = True
    keep: int | None = None
    silent: bool = False
    held: bool = False
    status: int | None = None
    headers: tuple[tuple[str, str], ...] = ()
    waits: bool = False
    ends: bool = False


LOSE = Fault("lose", keep=0)
"""The server accepts the request, but its response is lost with the connection."""
RESET = Fault("reset", forward=False, keep=0)
"""The connection breaks before the server receives the request."""
HANG = Fault("hang", silent=True)
"""The server accepts the request, but its response never arrives."""
HOLD = Fault("held", held=True)
"""The response arrives late."""
WAIT = Fault("wait", waits=True)
"""The request arrives late."""
SWALLOW = Fault("swallow", forward=False, silent=True)
"""The request never reaches the server, and the client never receives a response."""
VANISH = Fault("vanish", forward=False, keep=0, ends=True)
"""The request never reaches the server, and from now on nothing listens at the address."""


def cut(count: int) -> Fault:
    """Return a fault that cuts the response off after a number of bytes."""
    return Fault(f"cut {count}", keep=count)


def delay(seconds: float) -> Fault:
    """Return a fault that forwards the request late, even if the client has disconnected by then."""
    return Fault(f"delay {seconds:g}", delay=seconds)


def gateway(status: int, retry_after: str | None = None, *, forward: bool = False) -> Fault:
    """Return a fault with which the proxy responds itself. ``forward`` still sends the request to the server."""
    headers = () if retry_after is None else (("Retry-After", retry_after),)
    return Fault(f"gateway {status}", forward=forward, status=status, headers=headers)


Choice = Iterator[Fault | None]
"""Chooses the fault of each request in turn."""


def script(*faults: Fault | None) -> Choice:
    """Choose these faults in order, then none."""
    return iter(faults)


def always(fault: Fault) -> Choice:
    """Choose the same fault every time."""
    while True:
        yield fault


def randomly(seed: int, shares: Mapping[Fault, float]) -> Choice:
    """Choose each fault for a share of the requests, at random."""
    dice = random.Random(seed)
    faults, weights = [*shares, None], [*shares.values(), 1 - sum(shares.values())]
    while True:
        yield dice.choices(faults, weights)[0]


# --------------------------------------------------------------------------- faults of events

Frames = Callable[[str, str], Iterable[str]]
"""Maps an event's name and frame to the frames that replace it."""


def withhold(*names: str) -> Frames:
    """Drop events with these names."""
    return lambda name, frame: () if name in names else (frame,)


def doubled(_: str, frame: str) -> Iterable[str]:
    """Send every event twice, as InvokeAI 6.13 does."""
    return frame, frame


def swapped() -> Frames:
    """Swap each pair of events."""
    held: list[str] = []

    def frames(_: str, frame: str) -> Iterable[str]:
        held.append(frame)
        return (held.pop(), held.pop()) if len(held) == 2 else ()

    return frames
