"""What a run gave: its queue item's session, read into outputs by node."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast


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
    """

    node_id: str
    node_type: str
    prepared_id: str
    iteration: tuple[int, ...] = ()
    data: Mapping[str, Any] = field(default_factory=dict[str, Any])
    is_intermediate: bool = False

    @property
    def image_names(self) -> tuple[str, ...]:
        """Names of the images anywhere in the result, in order, each once."""
        return tuple(dict.fromkeys(media_names(self.data, "image_name")))

    @property
    def video_names(self) -> tuple[str, ...]:
        """Names of the videos anywhere in the result (6.14+), in order, each once."""
        return tuple(dict.fromkeys(media_names(self.data, "video_name")))


@dataclass(frozen=True, slots=True)
class Results:
    """The outputs of a run, in the order in which the workflow's nodes stand and iterations turn."""

    outputs: tuple[NodeOutput, ...] = ()

    def of(self, node_id: str) -> tuple[NodeOutput, ...]:
        """The outputs of one node, one for each iteration."""
        return tuple(output for output in self.outputs if output.node_id == node_id)

    def image_names(self, *, intermediate: bool = False) -> tuple[str, ...]:
        """Names of the images made, each once: those for the gallery, or all of them.

        Args:
            intermediate: Also those that the server keeps out of the gallery.
        """
        shown = (output for output in self.outputs if intermediate or not output.is_intermediate)
        return tuple(dict.fromkeys(name for output in shown for name in output.image_names))

    def __iter__(self) -> Iterator[NodeOutput]:
        return iter(self.outputs)

    def __len__(self) -> int:
        return len(self.outputs)


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
            if isinstance(name, str):
                yield name
            stack.extend(reversed(list(found.values())))
        elif isinstance(value, list | tuple):
            stack.extend(reversed(cast("list[Any]", value)))


def results_of_item(item: Mapping[str, Any]) -> Results:
    """The outputs of a queue item.

    Args:
        item: The item as ``GET /api/v1/queue/{queue_id}/i/{item_id}`` gives it. While it runs, the server
            keeps no results in it.
    """
    session = cast("dict[str, Any]", item.get("session") or {})
    results = cast("dict[str, Any]", session.get("results") or {})
    sources = cast("dict[str, str]", session.get("prepared_source_mapping") or {})
    paths = cast("dict[str, list[int]]", session.get("prepared_iteration_paths") or {})
    prepared = _nodes(session, "execution_graph")
    original = _nodes(session, "graph")
    order = {node_id: index for index, node_id in enumerate(original)}

    outputs: list[NodeOutput] = []
    for prepared_id, data in results.items():
        node_id = sources.get(prepared_id, prepared_id)
        node = prepared.get(prepared_id) or original.get(node_id) or {}
        outputs.append(
            NodeOutput(
                node_id=node_id,
                node_type=str(node.get("type") or ""),
                prepared_id=prepared_id,
                iteration=tuple(paths.get(prepared_id) or ()),
                data=data,
                is_intermediate=bool(node.get("is_intermediate")),
            )
        )
    # Results stand in the order of execution, which breaks ties where iterations are not told (before 6.14).
    outputs.sort(key=lambda output: (order.get(output.node_id, len(order)), output.iteration))
    return Results(tuple(outputs))


def failing_node(item: Mapping[str, Any]) -> str | None:
    """The workflow's id of the node that failed, where the session tells it."""
    session = cast("dict[str, Any]", item.get("session") or {})
    sources = cast("dict[str, str]", session.get("prepared_source_mapping") or {})
    errors: Iterable[str] = cast("dict[str, str]", session.get("errors") or {})
    return next((sources.get(prepared_id, prepared_id) for prepared_id in errors), None)


def _nodes(session: Mapping[str, Any], graph: str) -> dict[str, dict[str, Any]]:
    return cast("dict[str, Any]", session.get(graph) or {}).get("nodes") or {}
