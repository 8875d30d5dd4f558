"""The files of a sweep's images and videos."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from invokeai_py_client.files.names import RunFile, files_of, naming_values

if TYPE_CHECKING:
    from invokeai_py_client import Run
    from invokeai_py_client.run.run import AsyncRun


def default_template(names: Sequence[str]) -> str:
    """Return the template for the files of a sweep.

    Args:
        names: The names of the runs. Empty if they have no names.
    """
    return "{name}.png" if names else "{index:04}-{image}.png"


def run_files(index: int, run: AsyncRun | Run, names: Sequence[str]) -> list[RunFile]:
    """Return the images and videos of a run with the values for their file names.

    Args:
        index: The run's index in the sweep.
        run: The run.
        names: The names of all runs. Empty if they have no names. A run without a name is named after its index.
    """
    name = (names[index] or f"{index:04}") if names else ""
    values = naming_values(run.inputs, run.seed)
    return [
        RunFile(file, values, index, run.item_id, name, kind)
        for kind, files in files_of(run)
        for file in files
    ]
