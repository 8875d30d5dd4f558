"""The kinds of fields: one row for each type in the schema that has a field class."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from invokeai_py_client.ivk_fields.base import IvkField
from invokeai_py_client.ivk_fields.collection import IvkCollectionField, IvkFloatOrListField
from invokeai_py_client.ivk_fields.complex import (
    IvkAnyField,
    IvkBoundingBoxField,
    IvkCogView4ConditioningField,
    IvkColorField,
    IvkConditioningField,
    IvkDenoiseMaskField,
    IvkFluxConditioningField,
    IvkFluxFillConditioningField,
    IvkFluxKontextConditioningField,
    IvkFluxReduxConditioningField,
    IvkGeneratorField,
    IvkMetadataField,
    IvkSD3ConditioningField,
)
from invokeai_py_client.ivk_fields.enums import IvkEnumField, IvkSchedulerField
from invokeai_py_client.ivk_fields.models import (
    IvkCLIPField,
    IvkLoRAField,
    IvkModelIdentifierField,
    IvkTransformerField,
    IvkUNetField,
    IvkVAEField,
)
from invokeai_py_client.ivk_fields.primitives import (
    IvkBooleanField,
    IvkFloatField,
    IvkIntegerField,
    IvkStringField,
)
from invokeai_py_client.ivk_fields.resources import (
    IvkBoardField,
    IvkImageField,
    IvkLatentsField,
    IvkSavedWorkflowField,
    IvkStylePresetField,
    IvkSystemPromptField,
    IvkTensorField,
    IvkVideoField,
)
from invokeai_py_client.schema.template import UNSET, FieldType, InputTemplate


class FieldKind(NamedTuple):
    """How this package handles a type in the schema.

    Attributes:
        type_name: The type, as in ``FieldType.name``.
        field: The class of its fields.
        annotation: The Python type of values in generated functions. Defaults to "": ``Any``, or the choices if known.
        in_batch: Whether the server's batch data can carry its values (InvokeAI 5.15 to 6.14).
    """

    type_name: str
    field: type[IvkField[Any]]
    annotation: str = ""
    in_batch: bool = False


_KINDS = (
    FieldKind("BoardField", IvkBoardField, annotation="str"),
    FieldKind("BooleanField", IvkBooleanField, annotation="bool", in_batch=True),
    FieldKind("BoundingBoxField", IvkBoundingBoxField),
    FieldKind("CLIPField", IvkCLIPField),
    FieldKind("CogView4ConditioningField", IvkCogView4ConditioningField),
    FieldKind("ColorField", IvkColorField),
    FieldKind("ConditioningField", IvkConditioningField),
    FieldKind("DenoiseMaskField", IvkDenoiseMaskField),
    FieldKind("EnumField", IvkEnumField, in_batch=True),
    FieldKind("FloatField", IvkFloatField, annotation="float", in_batch=True),
    FieldKind("FloatGeneratorField", IvkGeneratorField),
    FieldKind("FluxConditioningField", IvkFluxConditioningField),
    FieldKind("FluxFillConditioningField", IvkFluxFillConditioningField),
    FieldKind("FluxKontextConditioningField", IvkFluxKontextConditioningField),
    FieldKind("FluxReduxConditioningField", IvkFluxReduxConditioningField),
    FieldKind("ImageField", IvkImageField, annotation="str | Path | bytes", in_batch=True),
    FieldKind("ImageGeneratorField", IvkGeneratorField),
    FieldKind("IntegerField", IvkIntegerField, annotation="int", in_batch=True),
    FieldKind("IntegerGeneratorField", IvkGeneratorField),
    FieldKind("LatentsField", IvkLatentsField),
    FieldKind("LoRAField", IvkLoRAField),
    FieldKind("MetadataField", IvkMetadataField),
    FieldKind("ModelIdentifierField", IvkModelIdentifierField, annotation="str | Mapping[str, Any]"),
    FieldKind("SD3ConditioningField", IvkSD3ConditioningField),
    FieldKind("SavedWorkflowField", IvkSavedWorkflowField),
    FieldKind("SchedulerField", IvkSchedulerField, in_batch=True),
    FieldKind("StringField", IvkStringField, annotation="str", in_batch=True),
    FieldKind("StringGeneratorField", IvkGeneratorField),
    FieldKind("StylePresetField", IvkStylePresetField, annotation="str"),
    FieldKind("SystemPromptField", IvkSystemPromptField, annotation="str"),
    FieldKind("TensorField", IvkTensorField),
    FieldKind("TransformerField", IvkTransformerField),
    FieldKind("UNetField", IvkUNetField),
    FieldKind("VAEField", IvkVAEField),
    FieldKind("VideoField", IvkVideoField, annotation="str"),
)

FIELD_KINDS: Mapping[str, FieldKind] = {kind.type_name: kind for kind in _KINDS}
"""The kinds by type. All other types use the class ``IvkAnyField``."""

FIELD_CLASSES: Mapping[str, type[IvkField[Any]]] = {kind.type_name: kind.field for kind in _KINDS}
"""The field class for each type in the schema."""


def make_field(
    template: InputTemplate,
    value: Any = UNSET,
    *,
    label: str = "",
    node_label: str = "",
    settings: Mapping[str, Any] | None = None,
    refusal: str = "",
    node_id: str = "",
) -> IvkField[Any]:
    """Create the typed field for an input.

    Args:
        template: The input's description in the server's schema.
        value: The workflow's value in its wire format. It is not validated.
        label: The field's label in the editor.
        node_label: The label of its node in the workflow.
        settings: The form's settings for the field.
        refusal: The reason why no value can be set, if it can't. Defaults to "".
        node_id: The id of its node, if several nodes have the same label. Defaults to "".
    """
    kind = FIELD_CLASSES.get(template.type.name, IvkAnyField)
    known: dict[str, Any] = {
        "template": template,
        "label": label,
        "node_label": node_label,
        "settings": settings,
        "refusal": refusal,
        "node_id": node_id,
    }
    field: IvkField[Any]
    if template.type.cardinality == "SINGLE" or issubclass(kind, IvkAnyField):
        field = kind(**known)
    else:
        single = replace(template, type=FieldType(template.type.name))
        one_too = template.type.cardinality == "SINGLE_OR_COLLECTION"
        item = kind(template=single)
        if one_too and kind is IvkFloatField:
            field = IvkFloatOrListField(item=item, **known)
        else:
            field = IvkCollectionField(item=item, one_too=one_too and kind is not IvkLoRAField, **known)
    field.hold(value)
    return field
