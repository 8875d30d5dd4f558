"""The runs that a server has in progress for a pool, as its agent reports them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from zlib import crc32

from invokeai_py_client.models.enums import JobStatus
from invokeai_py_client.run.status import RunStatus, changed

if TYPE_CHECKING:
    from invokeai_py_client.sweep.runs import SweepRuns

# The longest preview that is reported, in characters. Those of the server's own nodes have about 10,000, but other
# nodes may report a picture of any size.
_LARGEST = 200_000

Pictures = Mapping[tuple[str, int], int]
"""The previews that a client has: the checksum of each by the batch and the place of its run."""


@dataclass(slots=True)
class Look:
    """A run that is in progress.

    Attributes:
        batch_id: The batch of the run.
        place: The place of the run in its order.
        status: The status of the run. Without its preview if the client has this preview or wants none.
        picture: The checksum of the preview, or None if the run has none or the client wants none.
    """

    batch_id: str
    place: int
    status: RunStatus
    picture: int | None = None


def look_at(batch_id: str, runs: SweepRuns, known: Pictures | None) -> Iterator[Look]:
    """Yield the runs of a batch that are in progress.

    Args:
        batch_id: The batch.
        runs: Its runs.
        known: The previews that the client has. None: it wants no previews.
    """
    for place in sorted(runs.open):
        run = runs.get(place)
        if run is None or (status := run.status).done or status.state is JobStatus.PENDING:
            continue
        picture = None
        if known is not None and status.preview is not None and len(status.preview.data_url) <= _LARGEST:
            picture = crc32(status.preview.data_url.encode())
        if picture is None or known is None or known.get((batch_id, place)) == picture:
            status = changed(status, preview=None)
        yield Look(batch_id, place, status, picture)
