"""What a word on the command line names: a board, images, models, items of the queue, workflows."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from invokeai_py_client._text import clip, close_names, did_you_mean, listed
from invokeai_py_client.errors import ModelNotFoundError, UnknownNameError, UsageError, WorkflowNotFoundError

if TYPE_CHECKING:
    from invokeai_py_client import InvokeAIClient
    from invokeai_py_client.models import IvkBoard, IvkDnnModel, IvkImage, IvkJob

_LATEST = 1000


def unknown(what: str, name: str, close: Sequence[str]) -> str:
    """The sentence about something that the server does not have."""
    return f"The server has no {what} {name!r}.{did_you_mean(close)}"


def read_names(names: Sequence[str]) -> list[str]:
    """The names on a command line, each once; ``-`` stands for those that come in by standard input.

    A line there is a name, or begins with one and a tab, or is a JSON object with ``name``: what the lists
    print, so that they can be piped into the commands.

    Raises:
        UsageError: There are none.
    """
    found: dict[str, None] = {}
    for name in names:
        for one in _piped_names() if name == "-" else [name]:
            found[one] = None
    if not found:
        raise UsageError("No names came in; nothing was done.")
    return list(found)


def _piped_names() -> list[str]:
    names: list[str] = []
    for line in sys.stdin:
        text = line.strip()
        if text.startswith("{"):
            try:
                data = json.loads(text)
            except ValueError:
                raise UsageError(f"The line {clip(text, 60)!r} of standard input is not JSON.") from None
            name = cast("dict[str, Any]", data).get("name")
            if name is not None:
                names.append(str(name))
        elif text:
            names.append(text.partition("\t")[0])
    return names


def find_board(client: InvokeAIClient, name: str) -> IvkBoard:
    """A board by its id or its name; ``none`` stands for the images on no board.

    Raises:
        UnknownNameError: There is none.
        UsageError: Several have that name.
    """
    if name == "none":
        from invokeai_py_client.models import IvkBoard

        return IvkBoard.uncategorized()
    boards = client.board_repo.list_boards(include_archived=True)
    alike = [board for board in boards if name in (board.board_id, board.board_name)]
    alike = alike or [board for board in boards if board.board_name.casefold() == name.casefold()]
    if len(alike) > 1:
        ids = ", ".join(board.board_id for board in alike)
        raise UsageError(f"{len(alike)} boards are called {name!r}; take one by its id: {ids}.")
    if not alike:
        close = close_names(name, [board.board_name for board in boards])
        raise UnknownNameError(unknown("board", name, close), name, close)
    return alike[0]


def find_images(client: InvokeAIClient, names: Sequence[str]) -> list[IvkImage]:
    """The records of images, in the order asked for.

    Raises:
        UnknownNameError: The server lacks some: all of them are named.
    """
    found = client.image_repo.get_images(names)
    there = {image.image_name for image in found}
    missing = [name for name in names if name not in there]
    if not missing:
        return found
    latest = [
        image.image_name for image in client.image_repo.list_images(limit=_LATEST, is_intermediate=None)
    ]
    close = close_names(missing[0], latest)
    if len(missing) == 1:
        raise UnknownNameError(unknown("image", missing[0], close), missing[0], close)
    raise UnknownNameError(
        f"The server lacks {len(missing)} of the {len(names)} images: {listed(missing, 10)}. Nothing was done.",
        missing[0],
        close,
    )


def find_models(client: InvokeAIClient, names: Sequence[str]) -> list[IvkDnnModel]:
    """Models by their keys or names.

    Raises:
        ModelNotFoundError: There is none, or several have that name.
    """
    models = client.dnn_model_repo.list_models()
    found: list[IvkDnnModel] = []
    for name in names:
        alike = [model for model in models if name == model.key] or [
            model for model in models if name == model.name
        ]
        alike = alike or [model for model in models if model.name.casefold() == name.casefold()]
        if len(alike) > 1:
            told = ", ".join(f"{model.key} ({model.base} {model.type})" for model in alike)
            raise ModelNotFoundError(f"{len(alike)} models are called {name!r}; take one by its key: {told}.")
        if not alike:
            close = close_names(name, [model.name for model in models])
            raise ModelNotFoundError(unknown("model", name, close))
        found.append(alike[0])
    return found


def find_items(client: InvokeAIClient, item_ids: Sequence[int]) -> list[IvkJob]:
    """Items of the queue.

    Raises:
        UnknownNameError: The queue lacks some.
    """
    found = client.queue_repo.items(item_ids)
    there = {job.item_id for job in found}
    missing = [str(item_id) for item_id in item_ids if item_id not in there]
    if missing:
        newest = client.queue_repo.item_ids(order_dir="DESC")[:4]
        told = f" The newest are {', '.join(map(str, newest))}." if newest else " It is empty."
        raise UnknownNameError(f"The queue has no item {', '.join(missing)}.{told}", missing[0])
    return found


def find_workflow(client: InvokeAIClient, name: str) -> dict[str, Any]:
    """The record of a workflow in the library, by its id or its name.

    Raises:
        WorkflowNotFoundError: There is none, or several have that name.
    """
    records = client.workflow_repo.list_workflows()
    alike = [one for one in records if one["workflow_id"] == name] or [
        one for one in records if one["name"] == name
    ]
    alike = alike or [one for one in records if one["name"].casefold() == name.casefold()]
    if len(alike) > 1:
        ids = ", ".join(one["workflow_id"] for one in alike)
        raise WorkflowNotFoundError(f"{len(alike)} workflows are called {name!r}; take one by its id: {ids}.")
    if not alike:
        close = close_names(name, [one["name"] for one in records])
        raise WorkflowNotFoundError(unknown("workflow", name, close))
    return alike[0]
