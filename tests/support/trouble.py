"""What a proxy does to requests and events, and how that is chosen: data for ``proxy``."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

# --------------------------------------------------------------------------- what happens to a request


@dataclass(frozen=True, slots=True)
class Fault:
    """What is done to one request.

    Attributes:
        name: Counted under it.
        delay: Seconds before it is passed on, even if the client has gone by then.
        forward: Whether the server gets it at all.
        keep: How many bytes of the answer the client gets before its connection breaks; None for all.
        silent: Whether the client never hears of it again, over a connection that stays open.
        held: Whether the answer is held back until the proxy is told to let it go.
        status: What the proxy answers itself.
        headers: The headers of that answer.
    """

    name: str
    delay: float = 0.0
    forward: bool = True
    keep: int | None = None
    silent: bool = False
    held: bool = False
    status: int | None = None
    headers: tuple[tuple[str, str], ...] = ()


LOSE = Fault("lose", keep=0)
"""The server takes the request; its answer is lost with the connection."""
RESET = Fault("reset", forward=False, keep=0)
"""The connection breaks before the server gets the request."""
HANG = Fault("hang", silent=True)
"""The server takes the request; its answer never comes."""
HOLD = Fault("held", held=True)
"""The server answers; its answer comes later."""
SWALLOW = Fault("swallow", forward=False, silent=True)
"""The request never comes to the server, and no answer to the client."""


def cut(count: int) -> Fault:
    """The answer ends after so many bytes."""
    return Fault(f"cut {count}", keep=count)


def delay(seconds: float) -> Fault:
    """The request is passed on later, even if the client has gone by then."""
    return Fault(f"delay {seconds:g}", delay=seconds)


def gateway(status: int, retry_after: str | None = None, *, forward: bool = False) -> Fault:
    """The proxy answers itself; ``forward`` lets the server have the request all the same."""
    headers = () if retry_after is None else (("Retry-After", retry_after),)
    return Fault(f"gateway {status}", forward=forward, status=status, headers=headers)


Choice = Iterator[Fault | None]
"""The faults of one request after the other."""


def script(*faults: Fault | None) -> Choice:
    """These faults, one after the other; afterwards none."""
    return iter(faults)


def always(fault: Fault) -> Choice:
    """The same fault every time."""
    while True:
        yield fault


def randomly(seed: int, shares: Mapping[Fault, float]) -> Choice:
    """Each fault for its share of the requests."""
    dice = random.Random(seed)
    faults, weights = [*shares, None], [*shares.values(), 1 - sum(shares.values())]
    while True:
        yield dice.choices(faults, weights)[0]


# --------------------------------------------------------------------------- what happens to an event

Frames = Callable[[str, str], Iterable[str]]
"""Takes an event's name and frame, gives the frames that go on in its place."""


def withhold(*names: str) -> Frames:
    """Events of these names never come."""
    return lambda name, frame: () if name in names else (frame,)


def doubled(_: str, frame: str) -> Iterable[str]:
    """Every event comes twice, as from InvokeAI 6.13."""
    return frame, frame


def swapped() -> Frames:
    """Of two events, the second comes first."""
    held: list[str] = []

    def frames(_: str, frame: str) -> Iterable[str]:
        held.append(frame)
        return (held.pop(), held.pop()) if len(held) == 2 else ()

    return frames
