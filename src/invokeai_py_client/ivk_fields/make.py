"""Making the typed field of an input."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from invokeai_py_client.ivk_fields.base import IvkField
from invokeai_py_client.ivk_fields.collection import IvkCollectionField
from invokeai_py_client.ivk_fields.complex import IvkAnyField
from invokeai_py_client.ivk_fields.kinds import FIELD_CLASSES
from invokeai_py_client.ivk_fields.models import IvkLoRAField
from invokeai_py_client.schema.template import UNSET, FieldType, InputTemplate


def make_field(
    template: InputTemplate,
    value: Any = UNSET,
    *,
    label: str = "",
    node_label: str = "",
    settings: Mapping[str, Any] | None = None,
    refusal: str = "",
) -> IvkField[Any]:
    """The typed field of an input.

    Args:
        template: What the server's schema says of it.
        value: What the workflow holds, in its form on the wire; taken as it is, even if it does not fit.
        label: What the editor calls it.
        node_label: What the workflow calls its node.
        settings: The form's own settings of it.
        refusal: Why it takes no value, if it takes none.
    """
    kind = FIELD_CLASSES.get(template.type.name, IvkAnyField)
    known: dict[str, Any] = {
        "template": template,
        "label": label,
        "node_label": node_label,
        "settings": settings,
        "refusal": refusal,
    }
    field: IvkField[Any]
    if template.type.cardinality == "SINGLE" or issubclass(kind, IvkAnyField):
        field = kind(**known)
    else:
        single = replace(template, type=FieldType(template.type.name))
        one_too = template.type.cardinality == "SINGLE_OR_COLLECTION"
        field = IvkCollectionField(
            item=kind(template=single), one_too=one_too and kind is not IvkLoRAField, **known
        )
    field.hold(value)
    return field
