"""Results of a run, read from the session of its queue item."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, cast

from invokeai_py_client._text import brief_repr
from invokeai_py_client.engine.seeds import SEED
from invokeai_py_client.engine.workflow import Key
from invokeai_py_client.errors import RunError
from invokeai_py_client.models.enums import JobStatus
from invokeai_py_client.run.events import NodeCompleted, RunEvent
from invokeai_py_client.run.iterations import iteration_paths
from invokeai_py_client.run.names import NodeNames, names_of_item

_ABOUT = frozenset({"type", "output_meta"})
# These nodes make no image: they return one that exists. The web UI ignores their outputs, too (6.14.2).
_PASS_ON = frozenset({"load_image", "image", "video"})
# Returns the values of a called workflow, which can be nested.
_CALL = "call_saved_workflow"


@dataclass(frozen=True, slots=True)
class NodeOutput:
    """The output of one execution of a node.

    Attributes:
        node_id: The node's id in the workflow.
        node_type: Its invocation type.
        prepared_id: Its id in this execution.
        iteration: The index of the pass in each surrounding iteration, outermost first. Empty outside of iterations.
        data: The result as the server sends it, including its ``type``.
        is_intermediate: Whether the node's images are hidden from the gallery.
        node_label: The node's label in the workflow, or "" if it has no label.
        board_id: The id of the board for its images, or None.
    """

    __repr__ = brief_repr

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
        """The main output: a number, a text, a list...

        This is ``value``, ``collection`` or an iteration's ``item`` if the node has one of these, else its only
        output. None for nodes with several outputs (see ``values``).
        """
        values = self.values
        for name in ("value", "collection", "item"):
            if name in values:
                return values[name]
        return next(iter(values.values())) if len(values) == 1 else None

    @property
    def image_names(self) -> tuple[str, ...]:
        """The names of all images in the result, in order, without duplicates."""
        return tuple(dict.fromkeys(media_names(self.data, "image_name")))

    @property
    def video_names(self) -> tuple[str, ...]:
        """The names of all videos in the result (6.14+), in order, without duplicates."""
        return tuple(dict.fromkeys(media_names(self.data, "video_name")))


@dataclass(frozen=True, slots=True)
class CalledResults:
    """The results of one call of another workflow.

    Attributes:
        node_id: The id of the node that made the call.
        prepared_id: That node's id in this execution.
        workflow_id: The called workflow's id in the server's library.
        item_id: The id of the call's queue item.
        results: The outputs of the called workflow.
    """

    node_id: str
    prepared_id: str
    workflow_id: str
    item_id: int
    results: Results


@dataclass(frozen=True, slots=True)
class Results:
    """The outputs of a run, in the order of the workflow's nodes and their iterations.

    Attributes:
        outputs: The outputs of the workflow's nodes.
        called: The results of the workflows that it called (InvokeAI 6.14), in the order of the calls.
        names: The names of the nodes.
        inputs: The names of the images and videos that the run was sent with.
    """

    outputs: tuple[NodeOutput, ...] = ()
    called: tuple[CalledResults, ...] = ()
    names: NodeNames = field(default_factory=NodeNames, repr=False)
    inputs: frozenset[str] = field(default=frozenset(), repr=False)

    def __repr__(self) -> str:
        nodes = len({output.node_id for output in self.outputs})
        calls = f", {len(self.called)} called workflows" if self.called else ""
        return f"<Results: {len(self.outputs)} outputs of {nodes} nodes{calls}>"

    def of(self, node: int | str | tuple[str, str]) -> tuple[NodeOutput, ...]:
        """Return the outputs of one node, one per iteration. Empty if the node did not run.

        Args:
            node: The node's id, label or type. Or one of its fields in the form: its index, label, field name,
                ``node.field``, or (node id, field name).

        Raises:
            UsageError: The address matches no node, or several.
        """
        found = tuple(output for output in self.outputs if output.node_id == node)
        if found:
            return found
        node_id = self.names.find(node)
        return tuple(output for output in self.outputs if output.node_id == node_id)

    def values(self, node: int | str | tuple[str, str]) -> list[Any]:
        """Return the ``NodeOutput.value`` of each iteration of one node.

        Args:
            node: The node, as in ``of()``.

        Raises:
            UsageError: The address matches no node, or several.
        """
        return [output.value for output in self.of(node)]

    def image_names(self, *, intermediate: bool = False) -> tuple[str, ...]:
        """Return the names of the images that the run made, without duplicates.

        Images that only pass through the run are not included: its inputs, and the control images in the outputs of
        ControlNet and IP-Adapter nodes. They are in ``outputs``. The images of a called workflow come at the position
        of the node that called it.

        Args:
            intermediate: Whether to include images that are hidden from the gallery. Defaults to False.
        """
        return self._made("image_name", intermediate)

    def video_names(self, *, intermediate: bool = False) -> tuple[str, ...]:
        """Return the names of the videos that the run made (6.14+), like ``image_names()`` for images.

        Args:
            intermediate: Whether to include videos that are hidden from the gallery. Defaults to False.
        """
        return self._made("video_name", intermediate)

    def _made(self, key: str, intermediate: bool) -> tuple[str, ...]:
        return tuple(
            dict.fromkeys(
                name
                for output, inputs in _shown(self, intermediate)
                for name in _made_by(output, key)
                if name not in inputs
            )
        )

    def __iter__(self) -> Iterator[NodeOutput]:
        return iter(self.outputs)

    def __len__(self) -> int:
        return len(self.outputs)

    def __getstate__(self) -> tuple[Any, ...]:
        return self.outputs, self.called, self.names, self.inputs

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        values: tuple[Any, ...] = (*state, frozenset[str]())  # pickles of earlier versions lack the inputs
        for name, value in zip(("outputs", "called", "names", "inputs"), values, strict=False):
            object.__setattr__(self, name, value)


def _made_by(output: NodeOutput, key: str) -> Iterator[str]:
    """Yield the images or videos that a node made.

    Like the web UI, it takes only those that are an output themselves, alone or in a list. Records such as a
    ControlNet's contain images that the node used.
    """
    if output.node_type in _PASS_ON:
        return
    if output.node_type == _CALL:
        yield from media_names(output.data, key)
        return
    for value in output.data.values():
        for item in cast("list[Any]", value) if isinstance(value, list | tuple) else [value]:
            name = cast("Mapping[str, Any]", item).get(key) if isinstance(item, Mapping) else None
            if isinstance(name, str) and name:
                yield name


def _shown(results: Results, intermediate: bool) -> Iterator[tuple[NodeOutput, frozenset[str]]]:
    """Yield the outputs of a run and of the workflows that it called, in order, each with the inputs of its run."""
    calls: dict[str, list[Results]] = {}
    for call in results.called:
        calls.setdefault(call.prepared_id, []).append(call.results)
    for output in results.outputs:
        for called in calls.pop(output.prepared_id, ()):
            yield from _shown(called, intermediate)
        if intermediate or not output.is_intermediate:
            yield output, results.inputs
    for left in calls.values():  # calls whose node has no output, because the run ended first
        for called in left:
            yield from _shown(called, intermediate)


def media_sizes(results: Results, kind: Literal["image", "video"]) -> dict[str, tuple[int, int]]:
    """Return the width and height in pixels of the images or videos whose nodes report them, keyed by name."""
    sizes: dict[str, tuple[int, int]] = {}
    for output, _ in _shown(results, intermediate=True):
        file, width, height = (output.data.get(name) for name in (kind, "width", "height"))
        name = cast("Mapping[str, Any]", file).get(f"{kind}_name") if isinstance(file, Mapping) else None
        if isinstance(name, str) and isinstance(width, int) and isinstance(height, int):
            sizes[name] = width, height
    return sizes


def media_names(data: Any, key: str) -> Iterator[str]:
    """Yield all values of ``key`` in a result, depth first.

    Results can be nested: collections of images, return values of called workflows, masks next to images.
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
    """Translate errors that occur while the session of an ended item is read, since sessions have no fixed schema.

    Raises:
        RunError: The session is not in InvokeAI's format.
    """
    try:
        yield
    except (TypeError, ValueError, AttributeError, LookupError) as error:
        raise RunError(
            f"Queue item {item_id} has ended, but the server's record of it is not in InvokeAI's format ({error}).",
            item_id=item_id,
        ) from None


class GraphFacts:
    """Facts about a graph that do not depend on the run.

    Args:
        graph: The nodes of the graph, by id.
        document: The workflow that was attached to the item.
        labels: The labels of its nodes, by node id. Defaults to those in the workflow.
        original: The nodes of the graph as it was sent. Defaults to ``graph``.
        values: The values of the item's batch.
    """

    def __init__(
        self,
        graph: Mapping[str, dict[str, Any]],
        document: Any,
        labels: Mapping[str, str] | None,
        original: Mapping[str, dict[str, Any]] | None = None,
        values: Any = None,
    ) -> None:
        self.graph = graph
        sent = graph if original is None else original
        self.order = {node_id: index for index, node_id in enumerate(sent)}
        self.names = names_of_item(graph, document, labels)
        self.labels = {node_id: label for node_id, label, _ in self.names.nodes}
        self.inputs = _inputs(sent, values)


def results_of_item(
    item: Mapping[str, Any],
    labels: Mapping[str, str] | None = None,
    called: tuple[CalledResults, ...] = (),
    facts: GraphFacts | None = None,
) -> Results:
    """Return the outputs of a queue item.

    Args:
        item: The item as ``GET /api/v1/queue/{queue_id}/i/{item_id}`` returns it. It contains no results until it has
            ended.
        labels: The labels of its nodes, by node id. Defaults to those in its workflow.
        called: The results of the workflows that it called.
        facts: What is known about a graph. Used if it is the item's graph.
    """
    session = cast("dict[str, Any]", item.get("session") or {})
    results = cast("dict[str, Any]", session.get("results") or {})
    sources = cast("dict[str, str]", session.get("prepared_source_mapping") or {})
    prepared = _nodes(session, "execution_graph")
    original = _nodes(session, "graph")
    if facts is None or facts.graph is not original or item.get("field_values"):
        graph = original or _by_source(prepared, sources)
        facts = GraphFacts(graph, item.get("workflow"), labels, original, item.get("field_values"))
    order, names, known = facts.order, facts.names, facts.labels
    paths = iteration_paths(session, order)

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
    # Results come in the order of execution, which before 6.14 is not the order of the iterations.
    outputs.sort(key=lambda output: (order.get(output.node_id, len(order)), output.iteration))
    return Results(tuple(outputs), called, names, facts.inputs)


def _inputs(graph: Mapping[str, dict[str, Any]], values: Any) -> frozenset[str]:
    """Return the names of the images and videos in a graph and in the values of its batch."""
    return frozenset(
        name for key in ("image_name", "video_name") for name in media_names([graph, values], key)
    )


def item_from_events(events: Iterable[RunEvent]) -> dict[str, Any]:
    """Reconstruct a queue item from its events, for an item that completed and was removed before it could be read."""
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
    """Return how many seconds the server worked on a queue item, or None if it lacks a start or an end time."""
    begun, ended = item.get("started_at"), item.get("completed_at")
    if not (isinstance(begun, str) and isinstance(ended, str)):
        return None
    try:
        return (datetime.fromisoformat(ended) - datetime.fromisoformat(begun)).total_seconds()
    except (TypeError, ValueError):  # not times, or only one of them has a time zone
        return None


def seeds_of_item(item: Mapping[str, Any]) -> dict[Key, int]:
    """Return the seeds that the nodes of a queue item used, by node id and field, or by random node and output.

    Nodes that used several seeds, because they ran in an iteration, are omitted.
    """
    session = cast("dict[str, Any]", item.get("session") or {})
    sources = cast("dict[str, str]", session.get("prepared_source_mapping") or {})
    # The graph as it was sent has the types of the nodes, but not the values that they got from a batch or an edge.
    prepared, original = _nodes(session, "execution_graph"), _nodes(session, "graph")
    found: dict[Key, set[int]] = {}
    for prepared_id, data in cast("dict[str, Any]", session.get("results") or {}).items():
        node, node_id = prepared.get(prepared_id) or {}, sources.get(prepared_id, prepared_id)
        values = {SEED: node.get(SEED)}
        kind = str((node or original.get(node_id) or {}).get("type"))
        if "rand" in kind and isinstance(data, dict):
            values |= cast("dict[str, Any]", data)
        for name, value in values.items():
            if type(value) is int:
                found.setdefault((node_id, name), set()).add(value)
    return {key: values.pop() for key, values in found.items() if len(values) == 1}


def failing_node(item: Mapping[str, Any]) -> str | None:
    """Return the id, in the workflow, of the node that failed, or None if the session does not name it."""
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
