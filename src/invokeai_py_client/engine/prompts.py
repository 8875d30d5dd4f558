"""The prompt of a workflow: the text input that describes the picture."""

from __future__ import annotations

from collections.abc import Sequence

from invokeai_py_client._text import listed
from invokeai_py_client.engine.addressing import plain
from invokeai_py_client.engine.inputs import InputSet, WorkflowInput
from invokeai_py_client.engine.wiring import EdgeIndex
from invokeai_py_client.engine.workflow import LoadedWorkflow
from invokeai_py_client.errors import AmbiguousInputError, UnknownInputError

_MOST = 8
_PROMPT, _STYLE, _POSITIVE, _NEGATIVE = "prompt", "style", "positive", "negative"


def find_prompt(loaded: LoadedWorkflow, inputs: InputSet) -> WorkflowInput:
    """Return the only input for a prompt.

    Raises:
        UnknownInputError: The workflow has no prompt.
        AmbiguousInputError: The workflow has several prompts. The error lists them.
    """
    found = prompt_inputs(loaded, inputs)
    if len(found) == 1:
        return found[0]
    if not found:
        raise UnknownInputError(
            f"The workflow {loaded.name!r} has no prompt. Pass values by the names of its inputs.", "prompt"
        )
    names = [inputs.name_of(item) for item in found]
    raise AmbiguousInputError(
        f"The workflow {loaded.name!r} has {len(found)} prompts: {listed(names, _MOST)}. Pass the text by name.",
        "prompt",
        names,
    )


def prompt_inputs(loaded: LoadedWorkflow, inputs: InputSet) -> list[WorkflowInput]:
    """Return the inputs for the prompt: those in the form, else those outside the form.

    A prompt is a text that is called so, or that is connected to a field that is called so. Negative prompts, and
    styles that go along with a prompt, are omitted.
    """
    edges = EdgeIndex(loaded.edges)
    texts = [item for item in inputs.everything() if item.type == "StringField" and not item.connected]
    for shown in (True, False):
        group = [item for item in texts if (item.input_index is not None) == shown]
        found = [item for item in group if _is_prompt(item, _fields_after(item.node_id, loaded, edges))]
        if found:
            return found
    return []


def _is_prompt(item: WorkflowInput, after: Sequence[str]) -> bool:
    own = [plain(item.label), plain(item.field_name), plain(item.node_name)]
    if any(_NEGATIVE in name for name in own) or _STYLE in plain(item.label) or _STYLE in own[1]:
        return False
    ends = [name for name in after if name.startswith((_POSITIVE, _NEGATIVE))]
    if ends and all(name.startswith(_NEGATIVE) for name in ends):
        return False
    return any(_PROMPT in name for name in (*own[:2], *after))


def _fields_after(node_id: str, loaded: LoadedWorkflow, edges: EdgeIndex) -> list[str]:
    """Return the names of all fields that get a value from a node, up to the conditioning that it ends in."""
    found: dict[str, None] = {}
    visited: set[str] = set()
    stack = [node_id]
    while stack:
        current = stack.pop()
        if current in visited:
            continue
        visited.add(current)
        for edge in edges.out_of(current):
            name = edge.target_field
            found[name] = None
            if not name.startswith((_POSITIVE, _NEGATIVE)):
                stack.append(edge.target)
    return list(found)
