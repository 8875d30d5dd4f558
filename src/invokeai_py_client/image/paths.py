"""What to call downloaded images."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Formatter
from typing import Any

from invokeai_py_client.errors import UsageError
from invokeai_py_client.files.names import file_name, unique
from invokeai_py_client.models import IvkImage

_WITHOUT_RECORDS = frozenset({"image", "index"})


def needs_records(template: str) -> bool:
    """Whether a template names more than an image's name and number.

    Raises:
        UsageError: It cannot be read.
    """
    try:
        names = {name.strip() for _, name, _, _ in Formatter().parse(template) if name is not None}
    except ValueError as error:
        raise UsageError(f"The template {template!r} cannot be read: {error}.") from None
    return not names <= _WITHOUT_RECORDS


def paths_for(
    names: Sequence[str],
    records: Mapping[str, IvkImage],
    folder: str | os.PathLike[str],
    template: str,
    suffix: str,
) -> dict[str, Path]:
    """The file for each image, no two the same. None is outside of the folder for what a server says.

    Raises:
        UsageError: The template names what there is not.
    """
    base = Path(folder).expanduser()
    needed = needs_records(template)
    ending = "" if suffix == ".png" or template.endswith(suffix) else ".thumbnail"
    paths: list[Path] = []
    for index, name in enumerate(names):
        record = records.get(name)
        # The server no longer has it: fetching it will say so.
        its_own = "{image}" if needed and record is None else f"{template}{ending}"
        values: dict[str, Any] = {} if record is None else dict(record)
        paths.append(base / file_name(its_own, values, index, name, suffix))
    return dict(zip(names, unique(paths), strict=True))
