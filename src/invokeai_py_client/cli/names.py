"""Look up the boards, images, models, queue items and workflows that are named on the command line."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from invokeai_py_client._given import is_blank
from invokeai_py_client._names import unknown
from invokeai_py_client._text import clip, listed
from invokeai_py_client.cli.streams import read_stdin
from invokeai_py_client.errors import UnknownNameError, UsageError
from invokeai_py_client.lookup import MODELS

if TYPE_CHECKING:
    from invokeai_py_client import InvokeAIClient
    from invokeai_py_client.models import IvkBoard, IvkDnnModel, IvkImage, IvkJob

_LATEST = 1000


def read_names(names: Sequence[str]) -> list[str]:
    """Return the names on a command line without duplicates. ``-`` is replaced by names from standard input.

    A line on standard input is a name, a name followed by a tab, or a JSON object with a ``name``. Lists print
    such lines, so they can be piped into other commands.

    Raises:
        UsageError: No names were passed, or one is empty.
    """
    found: dict[str, None] = {}
    for name in names:
        for one in _piped_names() if name == "-" else [name]:
            if is_blank(one):
                raise UsageError("A name on standard input is empty. Nothing was changed.")
            found[one] = None
    if not found:
        raise UsageError("No names on standard input. Nothing was changed.")
    return list(found)


def _piped_names() -> list[str]:
    names: list[str] = []
    for line in read_stdin().split("\n"):
        text = line.strip()
        if text.startswith("{"):
            try:
                data = json.loads(text)
            except ValueError:
                raise UsageError(f"Invalid JSON on standard input: {clip(text, 60)!r}.") from None
            name = cast("dict[str, Any]", data).get("name")
            if name is not None:
                names.append(str(name))
        elif text:
            names.append(text.partition("\t")[0])
    return names


def find_board(client: InvokeAIClient, name: str) -> IvkBoard:
    """Return a board by its id or name. The name ``none`` means the images without a board.

    Raises:
        UnknownNameError: The board does not exist.
        UsageError: Several boards have the name.
    """
    return client.board_repo.get_board(name).board


def find_images(client: InvokeAIClient, names: Sequence[str]) -> list[IvkImage]:
    """Return the records of images in the order of their names.

    Raises:
        UnknownNameError: Some images do not exist. The message lists their names.
        PermissionDeniedError: The image belongs to another user.
    """
    found = client.image_repo.get_images(names)
    there = {image.image_name for image in found}
    missing = [name for name in names if name not in there]
    if not missing:
        return found
    if len(missing) == 1:
        client.image_repo.get_image(missing[0])  # raises the error that says why
        return find_images(client, names)  # it was created in the meantime
    latest = [
        image.image_name for image in client.image_repo.list_images(limit=_LATEST, is_intermediate=None)
    ]
    close = unknown("image", missing[0], latest)[1]
    raise UnknownNameError(
        f"{len(missing)} of the {len(names)} images do not exist: {listed(missing, 10)}. Nothing was changed.",
        missing[0],
        close,
    )


def wanted_images(client: InvokeAIClient, names: Sequence[str]) -> list[IvkImage | str]:
    """Return the records of images in the order of their names, and only the names of those that do not exist.

    Raises:
        UnknownNameError: None of the images exists.
    """
    found = {image.image_name: image for image in client.image_repo.get_images(names)}
    return [found.get(name, name) for name in names] if found else [*find_images(client, names)]


def find_models(client: InvokeAIClient, names: Sequence[str]) -> list[IvkDnnModel]:
    """Return models by their keys or names.

    Raises:
        ModelNotFoundError: The model does not exist, or several models have the name.
    """
    models = client.dnn_model_repo.list_models()
    return [MODELS.pick(name, models) for name in names]


def find_items(client: InvokeAIClient, item_ids: Sequence[int]) -> list[IvkJob]:
    """Return queue items by their ids.

    Raises:
        UnknownNameError: Some items do not exist.
    """
    found = client.queue_repo.items(item_ids)
    there = {job.item_id for job in found}
    missing = [str(item_id) for item_id in item_ids if item_id not in there]
    if missing:
        newest = client.queue_repo.item_ids(order_dir="DESC")[:4]
        recent = f" The newest ones are {', '.join(map(str, newest))}." if newest else " The queue is empty."
        items = f"item {missing[0]}" if len(missing) == 1 else f"items {', '.join(missing)}"
        raise UnknownNameError(f"No queue {items}.{recent}", missing[0])
    return found
