"""What a run gave: its queue item's session, read into outputs by node."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

from invokeai_py_client.errors import RunError
from invokeai_py_client.models.enums import JobStatus
from invokeai_py_client.run.events import NodeCompleted, RunEvent
from invokeai_py_client.run.iterations import iteration_paths
from invokeai_py_client.run.names import NodeNames, names_of_item

_ABOUT = frozenset({"type", "output_meta"})


@dataclass(frozen=True, slots=True)
class NodeOutput:
    """What one execution of a node gave.

    Attributes:
        node_id: The node's id in the workflow.
        node_type: Its invocation type.
        prepared_id: Its id in this execution.
        iteration: Which turn of the surrounding iterations it was, outermost first; empty outside of any.
        data: The result as the server gives it, with its ``type``.
        is_intermediate: Whether the node's images stay out of the gallery.
        node_label: What the workflow calls the node, where it gives it a name.
        board_id: The board that its images were to go to; None for none.
    """

    node_id: str
    node_type: str
    prepared_id: str
    iteration: tuple[int, ...] = ()
    data: Mapping[str, Any] = field(default_factory=dict[str, Any])
    is_intermediate: bool = False
    node_label: str = ""
    board_id: str | None = None

    @property
    def values(self) -> dict[str, Any]:
        """The node's outputs by name: ``{"value": 3}``, ``{"image": {...}, "width": 64, "height": 64}``..."""
        return {name: value for name, value in self.data.items() if name not in _ABOUT}

    @property
    def value(self) -> Any:
        """The output itself, where the node has one that matters: a number, a text, a list...

        That is ``value``, ``collection`` or an iteration's ``item``, or else the only output there is; None for a
        node with several (see ``values``).
        """
        values = self.values
        for name in ("value", "collection", "item"):
            if name in values:
                return values[name]
        return next(iter(values.values())) if len(values) == 1 else None

    @property
    def image_names(self) -> tuple[str, ...]:
        """Names of the images anywhere in the result, in order, each once."""
        return tuple(dict.fromkeys(media_names(self.data, "image_name")))

    @property
    def video_names(self) -> tuple[str, ...]:
        """Names of the videos anywhere in the result (6.14+), in order, each once."""
        return tuple(dict.fromkeys(media_names(self.data, "video_name")))


@dataclass(frozen=True, slots=True)
class CalledResults:
    """What a called workflow gave, once.

    Attributes:
        node_id: The node that called it.
        prepared_id: That node's id in this execution.
        workflow_id: The workflow, in the server's library.
        item_id: Its queue item.
        results: Its outputs.
    """

    node_id: str
    prepared_id: str
    workflow_id: str
    item_id: int
    results: Results


@dataclass(frozen=True, slots=True)
class Results:
    """The outputs of a run, in the order in which the workflow's nodes stand and iterations turn.

    Attributes:
        outputs: The outputs of the workflow's own nodes.
        called: Those of the workflows that it called (InvokeAI 6.14), in the order of the calls.
        names: What the nodes are called.
    """

    outputs: tuple[NodeOutput, ...] = ()
    called: tuple[CalledResults, ...] = ()
    names: NodeNames = field(default_factory=NodeNames, repr=False)

    def of(self, node: int | str | tuple[str, str]) -> tuple[NodeOutput, ...]:
        """The outputs of one node, one for each iteration; none if it did not run.

        Args:
            node: The node's id, label or type; or one of its fields as the form has it: index, label, field
                name, ``node.field``, or (node id, field name).

        Raises:
            UsageError: No node is meant, or several are.
        """
        found = tuple(output for output in self.outputs if output.node_id == node)
        if found:
            return found
        node_id = self.names.find(node)
        return tuple(output for output in self.outputs if output.node_id == node_id)

    def values(self, node: int | str | tuple[str, str]) -> list[Any]:
        """The ``NodeOutput.value`` of each iteration of one node; see ``of()``.

        Raises:
            UsageError: No node is meant, or several are.
        """
        return [output.value for output in self.of(node)]

    def image_names(self, *, intermediate: bool = False) -> tuple[str, ...]:
        """Names of the images made, each once: those for the gallery, or all of them.

        Images of a called workflow stand where the node stands that called it.

        Args:
            intermediate: Also those that the server keeps out of the gallery.
        """
        return tuple(dict.fromkeys(name for one in _shown(self, intermediate) for name in one.image_names))

    def video_names(self, *, intermediate: bool = False) -> tuple[str, ...]:
        """Names of the videos made (6.14+), as ``image_names()`` gives those of images."""
        return tuple(dict.fromkeys(name for one in _shown(self, intermediate) for name in one.video_names))

    def __iter__(self) -> Iterator[NodeOutput]:
        return iter(self.outputs)

    def __len__(self) -> int:
        return len(self.outputs)


def _shown(results: Results, intermediate: bool) -> Iterator[NodeOutput]:
    """Yield the outputs of a run and of the workflows that it called, in order."""
    calls: dict[str, list[Results]] = {}
    for call in results.called:
        calls.setdefault(call.prepared_id, []).append(call.results)
    for output in results.outputs:
        for called in calls.pop(output.prepared_id, ()):
            yield from _shown(called, intermediate)
        if intermediate or not output.is_intermediate:
            yield output
    for left in calls.values():  # of calls that gave nothing, because the run ended before
        for called in left:
            yield from _shown(called, intermediate)


def media_names(data: Any, key: str) -> Iterator[str]:
    """All values of ``key`` anywhere in a result, depth first.

    Results nest: collections of images, returned values of a called workflow, masks beside pictures.
    """
    stack: list[Any] = [data]
    while stack:
        value = stack.pop()
        if isinstance(value, Mapping):
            found = cast("Mapping[str, Any]", value)
            name = found.get(key)
            if isinstance(name, str) and name:
                yield name
            stack.extend(reversed(list(found.values())))
        elif isinstance(value, list | tuple):
            stack.extend(reversed(cast("list[Any]", value)))


@contextmanager
def reading(item_id: int) -> Generator[None]:
    """Read into an ended item, whose session has no fixed shape.

    Raises:
        RunError: It is not as InvokeAI's are.
    """
    try:
        yield
    except (TypeError, ValueError, AttributeError, LookupError) as error:
        raise RunError(
            f"Queue item {item_id} has ended, but what the server gave of it is not as InvokeAI gives it ({error}).",
            item_id=item_id,
        ) from None


def results_of_item(
    item: Mapping[str, Any],
    labels: Mapping[str, str] | None = None,
    called: tuple[CalledResults, ...] = (),
) -> Results:
    """The outputs of a queue item.

    Args:
        item: The item as ``GET /api/v1/queue/{queue_id}/i/{item_id}`` gives it. While it runs, the server
            keeps no results in it.
        labels: What its nodes are called; by default, what the workflow in it says.
        called: The results of workflows that it called.
    """
    session = cast("dict[str, Any]", item.get("session") or {})
    results = cast("dict[str, Any]", session.get("results") or {})
    sources = cast("dict[str, str]", session.get("prepared_source_mapping") or {})
    prepared = _nodes(session, "execution_graph")
    original = _nodes(session, "graph")
    order = {node_id: index for index, node_id in enumerate(original)}
    paths = iteration_paths(session, order)
    names = names_of_item(original or _by_source(prepared, sources), item.get("workflow"), labels)
    known = {node_id: label for node_id, label, _ in names.nodes}

    outputs: list[NodeOutput] = []
    for prepared_id, data in results.items():
        if not isinstance(data, dict):
            raise TypeError(f"the result of {prepared_id} is {data!r:.80}")
        output = cast("dict[str, Any]", data)
        node_id = sources.get(prepared_id, prepared_id)
        node = prepared.get(prepared_id) or original.get(node_id) or {}
        outputs.append(
            NodeOutput(
                node_id=node_id,
                node_type=str(node.get("type") or ""),
                prepared_id=prepared_id,
                iteration=paths.get(prepared_id, ()),
                data=output,
                is_intermediate=bool(node.get("is_intermediate")),
                node_label=known.get(node_id, ""),
                board_id=_board(node),
            )
        )
    # Results stand in the order of execution, which before 6.14 is not that of the iterations.
    outputs.sort(key=lambda output: (order.get(output.node_id, len(order)), output.iteration))
    return Results(tuple(outputs), called, names)


def told_by_events(events: Iterable[RunEvent]) -> dict[str, Any]:
    """A queue item as far as events told it: for one that ended well, and was removed before it could be read."""
    done = {event.prepared_id: event for event in events if isinstance(event, NodeCompleted)}
    invocations: dict[str, Any] = {
        prepared: event.raw.get("invocation") or {} for prepared, event in done.items()
    }
    return {
        "status": JobStatus.COMPLETED.value,
        "session": {
            "results": {prepared: event.output for prepared, event in done.items()},
            "prepared_source_mapping": {prepared: event.node_id for prepared, event in done.items()},
            "execution_graph": {"nodes": invocations},
        },
    }


def seconds_of_item(item: Mapping[str, Any]) -> float | None:
    """How long the server worked on a queue item; None where it does not tell both ends."""
    begun, ended = item.get("started_at"), item.get("completed_at")
    if not (isinstance(begun, str) and isinstance(ended, str)):
        return None
    try:
        return (datetime.fromisoformat(ended) - datetime.fromisoformat(begun)).total_seconds()
    except (TypeError, ValueError):  # no times, or one with a time zone and one without
        return None


def failing_node(item: Mapping[str, Any]) -> str | None:
    """The workflow's id of the node that failed, where the session tells it."""
    session = cast("dict[str, Any]", item.get("session") or {})
    sources = cast("dict[str, str]", session.get("prepared_source_mapping") or {})
    errors: Iterable[str] = cast("dict[str, str]", session.get("errors") or {})
    return next((sources.get(prepared_id, prepared_id) for prepared_id in errors), None)


def _by_source(
    prepared: Mapping[str, dict[str, Any]], sources: Mapping[str, str]
) -> dict[str, dict[str, Any]]:
    return {sources.get(prepared_id, prepared_id): node for prepared_id, node in prepared.items()}


def _board(node: Mapping[str, Any]) -> str | None:
    board = node.get("board")
    found = cast("dict[str, Any]", board).get("board_id") if isinstance(board, dict) else None
    return found if isinstance(found, str) else None


def _nodes(session: Mapping[str, Any], graph: str) -> dict[str, dict[str, Any]]:
    return cast("dict[str, Any]", session.get(graph) or {}).get("nodes") or {}
