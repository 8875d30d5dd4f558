"""The names of a run's nodes, used to find their outputs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

from invokeai_py_client._text import close_names, did_you_mean, listed
from invokeai_py_client.errors import UsageError, WorkflowFormatError
from invokeai_py_client.transport.json_shape import as_object


@dataclass(frozen=True, slots=True)
class NodeNames:
    """The names of a workflow's nodes.

    Attributes:
        nodes: The id, label and type of each node. If a node has no label of its own, its label is the title of its
            type if that is known, else "".
        form: The node id, field name and label of each field in the form, in the form's order.
    """

    nodes: tuple[tuple[str, str, str], ...] = ()
    form: tuple[tuple[str, str, str], ...] = ()

    def label(self, node_id: str) -> str:
        """Return a node's label, or "" if it has no label."""
        return next((label for known, label, _ in self.nodes if known == node_id), "")

    def find(self, address: int | str | tuple[str, str]) -> str:
        """Return the id of the node that an address refers to.

        Args:
            address: The node's id, label or type. Or one of its fields in the form: its index, label, field name,
                ``node.field``, or (node id, field name).

        Raises:
            UsageError: The address matches no node, or several.
        """
        if isinstance(address, tuple):
            address = address[0]
        if isinstance(address, int):
            if isinstance(address, bool) or not 0 <= address < len(self._fields):
                raise UsageError(
                    f"The form has no field with index {address}. It has {len(self._fields)} fields, counted from 0."
                )
            return self._fields[address][0]
        if any(node_id == address for node_id, _, _ in self.nodes):
            return address
        for meant in self._meanings(address) if address else ():
            found = list(dict.fromkeys(meant))
            if len(found) == 1:
                return found[0]
            if found:
                raise UsageError(
                    f"{address!r} is ambiguous: it matches {len(found)} nodes. Use an id instead: {', '.join(found)}."
                )
        names = (*self._labels(), *(node[0] for node in self.nodes), *self._form_labels())
        known = list(dict.fromkeys(filter(None, names)))
        hint = did_you_mean(close_names(address, known)) or (
            f" Its nodes: {listed(known, 8)}." if known else ""
        )
        raise UsageError(f"The run has no node named {address!r}.{hint}")

    @property
    def _fields(self) -> tuple[tuple[str, str, str], ...]:
        """The fields of the form, each once, in the order of the inputs."""
        return tuple({(node_id, name): (node_id, name, label) for node_id, name, label in self.form}.values())

    def _meanings(self, address: str) -> Iterator[Iterable[str]]:
        """Yield the nodes that an address may refer to, the most likely interpretation first."""
        from invokeai_py_client.engine.addressing import plain

        word = plain(address)
        yield (node_id for node_id, label, _ in self.nodes if label == address)
        yield (node_id for node_id, _, label in self.form if label == address)
        yield (node_id for node_id, label, _ in self.nodes if word and plain(label) == word)
        yield (node_id for node_id, _, label in self.form if word and plain(label) == word)
        yield (node_id for node_id, name, _ in self.form if name == address)
        node, dot, field = address.rpartition(".")
        if dot and field:
            yield (node_id for node_id, label, kind in self.nodes if node in (node_id, label, kind))
        yield (node_id for node_id, _, kind in self.nodes if kind == address)

    def _labels(self) -> Iterator[str]:
        return (label for _, label, _ in self.nodes)

    def _form_labels(self) -> Iterator[str]:
        return (label or name for _, name, label in self.form)


def names_of_item(
    graph: Mapping[str, Mapping[str, Any]], document: Any, labels: Mapping[str, str] | None = None
) -> NodeNames:
    """Return the names of a queue item's nodes.

    Args:
        graph: The nodes of its graph.
        document: The workflow that was attached to it. It can be anything, since the server does not validate it.
        labels: The labels of the client that started the run, by node id. Defaults to the document's labels.
    """
    workflow = as_object(document)
    held = {
        str(node.get("id")): as_object(node.get("data"))
        for node in map(as_object, cast("list[Any]", workflow.get("nodes") or []))
    }
    nodes = tuple(
        (node_id, (labels or {}).get(node_id) or _text(held, node_id, "label"), str(node.get("type") or ""))
        for node_id, node in graph.items()
    )
    form = tuple(
        (node_id, name, _text(as_object(held.get(node_id, {}).get("inputs")), name, "label"))
        for node_id, name in _shown(workflow.get("form"))
    )
    return _shared(NodeNames(nodes, form))


@lru_cache(maxsize=64)
def _shared(names: NodeNames) -> NodeNames:
    """Return the first of all equal objects, so that the thousand runs of a sweep share one."""
    return names


def _shown(form: Any) -> list[tuple[str, str]]:
    from invokeai_py_client.engine.form import read_form, shown_fields

    try:
        readable, _ = read_form(form)
    except WorkflowFormatError:
        return []  # attached by another client; nodes can still be found by their own names
    return [(field.node_id, field.field_name) for field in shown_fields(readable)]


def _text(records: Mapping[str, Any], key: str, part: str) -> str:
    value = as_object(records.get(key)).get(part)
    return value if isinstance(value, str) else ""
