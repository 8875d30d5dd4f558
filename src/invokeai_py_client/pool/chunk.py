"""Chunks: some runs of one request, sent to one server as one batch."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

FIRST_SIZE = 2
"""The size of the first chunks, until the speed of a server is known."""


@dataclass(frozen=True, slots=True)
class RequestInfo:
    """A request of a sweep, as the dispatcher knows it.

    Attributes:
        first: The index of its first run in the sweep.
        count: The number of its runs.
        affinity: Equal for requests that need the same models loaded.
    """

    first: int
    count: int
    affinity: Hashable = None


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some runs of one request, sent to one server as one batch.

    Attributes:
        batch_id: The id of the batch. It is chosen before the batch is sent, and stays the same if it is sent again.
        server: The name of the server.
        request: The index of the request in the sweep.
        rows: The rows of the request.
        again: Whether the server may have this batch already, so that it has to be asked before the batch is sent.
    """

    batch_id: str
    server: str
    request: int
    rows: tuple[int, ...]
    again: bool = False


def chunk_size(*, left: int, lanes: int, rate: float | None, seconds: float, devices: int = 1) -> int:
    """Return how many runs the next chunk for a server should have.

    Chunks take about ``seconds``. They become smaller towards the end, so that all servers finish at the same time.

    Args:
        left: The number of waiting runs that the server can do.
        lanes: The number of chunks that all servers together work on.
        rate: The number of runs per second of the server. None if it is not known.
        seconds: The duration of a chunk.
        devices: The number of GPUs of the server. A chunk is never smaller, so that each of them has work.
    """
    wanted = FIRST_SIZE if rate is None else int(rate * seconds)
    return max(devices, 1, min(wanted, left // (2 * max(lanes, 1))))
