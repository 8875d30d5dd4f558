"""Orders: plain data that says what one server has to run. They contain no secrets.

An agent of another version of this package may receive an order, so each has the number of its format.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypedDict, cast

from invokeai_py_client.errors import APIRequestError, InvokeAIClientError
from invokeai_py_client.run.end import RunEnd
from invokeai_py_client.run.status import RunStatus
from invokeai_py_client.transport.retry import is_passing

if TYPE_CHECKING:
    from invokeai_py_client.pool.chunk import Chunk
    from invokeai_py_client.sweep.requests import Request

PROTOCOL = 1
"""The format of orders and outcomes. Agents with another number take no part."""

IMAGE, VIDEO, BOARD = "image_name", "video_name", "board_id"
"""The keys under which requests name images, videos and boards."""

_FILES = (IMAGE, VIDEO)


class Order(TypedDict):
    """Some runs of one request for one server.

    Attributes:
        protocol: The format of the order.
        batch_id: The id of the batch.
        again: Whether the server may have the batch already.
        queue_id: The queue.
        count: The number of runs.
        body: The body of ``enqueue_batch`` as the reference server would receive it.
        labels: The labels of the workflow's nodes, by node id.
        inputs: The names of the images and videos in the body, by the key that names them.
        boards: The names of the boards in the body, by id.
        files: Whether the outcome contains the images and videos that the runs made.
        others: Whether another server can do the runs, so that there is no need to wait long for this one.
    """

    protocol: int
    batch_id: str
    again: bool
    queue_id: str
    count: int
    body: Mapping[str, Any]
    labels: Mapping[str, str]
    inputs: Mapping[str, list[str]]
    boards: Mapping[str, str]
    files: bool
    others: bool


class Outcome(TypedDict, total=False):
    """The outcome of an order.

    Attributes:
        runs: The queue item, the status and the results of each run that has ended, by its place in the order. The
            others were not done, or their outcome is unknown.
        files: The content of the images and videos that the runs made, by name.
        asked: Whether the server could be asked. If not, runs without an end may still be at work there.
        why: Why some runs were not done, as a sentence, or "".
        refused: Whether the server refused the order, so that sending it again is no use.
        wanted: The images and videos that the server does not have yet, by the key that names them. Nothing was sent.
    """

    runs: dict[int, tuple[int, RunStatus, RunEnd]]
    files: dict[str, bytes]
    asked: bool
    why: str
    refused: bool
    wanted: dict[str, list[str]]


def make_order(
    chunk: Chunk,
    request: Request,
    *,
    queue_id: str,
    labels: Mapping[str, str],
    boards: Mapping[str, str],
    files: bool,
    others: bool = False,
) -> Order:
    """Return the order for a chunk.

    Args:
        chunk: The chunk.
        request: Its request.
        queue_id: The queue.
        labels: The labels of the workflow's nodes, by node id.
        boards: The names of the boards of the reference server, by id.
        files: Whether to bring the images and videos along.
        others: Whether another server can do the runs. Defaults to False.
    """
    body = request.body_for(chunk.rows, chunk.batch_id)
    names = names_in(body)
    return {
        "protocol": PROTOCOL,
        "batch_id": chunk.batch_id,
        "again": chunk.again,
        "queue_id": queue_id,
        "count": len(chunk.rows),
        "body": body,
        "labels": labels,
        "inputs": {key: names[key] for key in _FILES if key in names},
        "boards": {board: boards[board] for board in names.get(BOARD, ()) if board in boards},
        "files": files,
        "others": others,
    }


def not_done(error: InvokeAIClientError, *, begun: bool) -> Outcome:
    """Return the outcome of an order that an error has ended.

    Args:
        error: The error.
        begun: Whether the server may have accepted runs. Then they may be at work there, whatever the error.
    """
    lost = begun or (isinstance(error, APIRequestError) and is_passing(error))
    return {"asked": not lost, "refused": not lost, "why": str(error), "runs": {}}


def names_in(body: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the names of the images, videos and boards in the graph and the data of a request, each once.

    Returns:
        The names by the key that names them: ``image_name``, ``video_name``, ``board_id``.
    """
    found: dict[str, dict[str, None]] = {}
    batch: Mapping[str, Any] = body["batch"]
    for key, name in _names([batch["graph"]["nodes"], batch.get("data")]):
        found.setdefault(key, {})[name] = None
    return {key: list(names) for key, names in found.items()}


def with_names(body: Mapping[str, Any], names: Mapping[str, Mapping[str, str]]) -> Mapping[str, Any]:
    """Return a request with other names of images, videos and boards. It shares what does not change.

    Args:
        body: The body of ``enqueue_batch``.
        names: The new names by the key that names them and the old name.
    """
    if not any(old != new for known in names.values() for old, new in known.items()):
        return body
    batch: Mapping[str, Any] = body["batch"]
    graph: Mapping[str, Any] = batch["graph"]
    changed = {**batch, "graph": {**graph, "nodes": _replaced(graph["nodes"], names)}}
    if "data" in batch:
        changed["data"] = _replaced(batch["data"], names)
    return {**body, "batch": changed}


def _names(value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, part in cast("dict[str, Any]", value).items():
            if isinstance(part, dict | list):
                yield from _names(part)
            elif isinstance(part, str) and part and (key == BOARD or key in _FILES):
                yield key, part
    elif isinstance(value, list):
        for part in cast("list[Any]", value):
            yield from _names(part)


def _replaced(value: Any, names: Mapping[str, Mapping[str, str]]) -> Any:
    if isinstance(value, dict):
        return {
            key: names[key].get(part, part)
            if isinstance(part, str) and key in names
            else _replaced(part, names)
            for key, part in cast("dict[str, Any]", value).items()
        }
    if isinstance(value, list):
        return [_replaced(part, names) for part in cast("list[Any]", value)]
    return value
