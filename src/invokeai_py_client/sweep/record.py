"""What is kept of a run of a sweep: one plain record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from invokeai_py_client.models.jsonable import jsonable

if TYPE_CHECKING:
    from invokeai_py_client.run.run import AsyncRun


def run_record(index: int, run: AsyncRun, values: Mapping[str, Any]) -> dict[str, Any]:
    """The record of a run that has ended.

    Args:
        index: Its index in the sweep.
        run: The run.
        values: Its axis values.

    Returns:
        ``run item state inputs images seconds``, and ``error`` where it failed.
    """
    found: dict[str, Any] = {
        "run": index,
        "item": run.item_id,
        "state": run.status.state.value,
        "inputs": jsonable(values),
        "images": [image.name for image in run.images],
        "seconds": run.seconds,
    }
    if run.status.error_type:
        found["error"] = f"{run.status.error_type}: {run.status.error_message}"
    return found
