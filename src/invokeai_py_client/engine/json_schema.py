"""JSON Schemas of workflows' inputs, for programs that fill them in: agents, web forms, services.

A schema describes the values that ``wf.set()`` and ``wf.run()`` accept, by name. It is draft 2020-12 without
references and without null: a key that is left out keeps the workflow's value. The text depends only on the workflow,
the node types, and the models and boards that are listed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from invokeai_py_client.engine.addressing import plain
from invokeai_py_client.engine.field_schemas import (
    IMAGE,
    ServerThings,
    current_value,
    default_of,
    field_schema,
)
from invokeai_py_client.engine.inputs import InputSet, WorkflowInput
from invokeai_py_client.ivk_fields import IvkBoardField, IvkField
from invokeai_py_client.ivk_fields.collection import IvkCollectionField
from invokeai_py_client.ivk_fields.models import IvkLoRAField, IvkModelIdentifierField
from invokeai_py_client.schema.template import UNSET

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def named_inputs(inputs: InputSet, *, everything: bool = False) -> dict[str, WorkflowInput]:
    """Return the inputs that accept a value, by name, in the order of the form.

    Args:
        inputs: The workflow's inputs.
        everything: Whether to add the inputs that are not in the form, node by node. Defaults to False.

    Returns:
        The inputs. Each name matches ``^[A-Za-z0-9_.-]{1,64}$``, whatever the labels contain, and ``wf.set()`` accepts
        it. A seed that a random node draws is an input too.
    """
    listed = inputs.listed() + (inputs.everything() if everything else [])
    distinct = {item.key: item for item in listed if not item.field.refusal}
    return {inputs.key_of(item): item for item in distinct.values()}


def needs(inputs: InputSet, *, everything: bool = False) -> tuple[bool, bool]:
    """Return whether a schema can list models, and whether it can list boards.

    Args:
        inputs: The workflow's inputs.
        everything: Whether the schema has the inputs that are not in the form. Defaults to False.
    """
    fields = [_innermost(item.field) for item in named_inputs(inputs, everything=everything).values()]
    models = any(isinstance(field, IvkModelIdentifierField | IvkLoRAField) for field in fields)
    return models, any(isinstance(field, IvkBoardField) for field in fields)


def json_schema(
    name: str,
    description: str,
    inputs: InputSet,
    *,
    models: Sequence[Mapping[str, Any]] | None = None,
    boards: Mapping[str, str] | None = None,
    everything: bool = False,
    image: Mapping[str, Any] = IMAGE,
) -> dict[str, Any]:
    """Return the JSON Schema of a workflow's inputs.

    Args:
        name: The workflow's name, which becomes the title.
        description: The workflow's description.
        inputs: The workflow's inputs. Their current values become the defaults.
        models: The records of the server's models, to list those that fit. Defaults to a description in words.
        boards: The names of the server's boards by id, to list them. Defaults to a description in words.
        everything: Whether to include the inputs that are not in the form. Defaults to False.
        image: The schema of an image. Defaults to the name of an image on the server.
    """
    things = ServerThings(models, boards, image)
    properties: dict[str, Any] = {}
    required: list[str] = []
    for key, item in named_inputs(inputs, everything=everything).items():
        found = field_schema(item.field, inputs.template(item.key), things, inputs.rule_of(item.key))
        if found is None:
            continue
        words = _words(key, item, inputs.note_of(item.key), found.pop("description", ""))
        default = default_of(item.field, found, things)
        properties[key] = {
            **({"description": words} if words else {}),
            **found,
            **({} if default is UNSET else {"default": default}),
        }
        if item.required and current_value(item.field, things) is UNSET:
            required.append(key)
    title, about = (" ".join(text.split()) for text in (name, description))
    return {
        "$schema": DIALECT,
        **({"title": title} if title else {}),
        **({"description": about} if about else {}),
        "type": "object",
        "properties": properties,
        **({"required": required} if required else {}),
        "additionalProperties": False,
    }


def _words(key: str, item: WorkflowInput, note: str, words: str) -> str:
    """Return the description of an input: its label if the key does not have it, the author's note, and ``words``."""
    label = " ".join(item.label.split())
    adds = not plain(key).endswith(plain(label)) or not plain(label)
    parts = [label if adds else "", " ".join(note.split()), words]
    return ". ".join(part.rstrip(".") for part in parts if part)


def _innermost(field: IvkField[Any]) -> IvkField[Any]:
    return field.item if isinstance(field, IvkCollectionField) else field
