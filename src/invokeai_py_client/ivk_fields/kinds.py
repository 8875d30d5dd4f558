"""The kinds of fields: one row for each type of the schema that has a class of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from invokeai_py_client.ivk_fields.base import IvkField
from invokeai_py_client.ivk_fields.complex import (
    IvkBoundingBoxField,
    IvkColorField,
    IvkGeneratorField,
)
from invokeai_py_client.ivk_fields.conditioning import (
    IvkCogView4ConditioningField,
    IvkConditioningField,
    IvkDenoiseMaskField,
    IvkFluxConditioningField,
    IvkFluxFillConditioningField,
    IvkFluxKontextConditioningField,
    IvkFluxReduxConditioningField,
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


class FieldKind(NamedTuple):
    """What a type of the schema is to this package.

    Attributes:
        type_name: The type, as in ``FieldType.name``.
        field: The class of its fields.
        annotation: The Python type of a value in generated functions; "" for ``Any``, or the choices.
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
    FieldKind("StylePresetField", IvkStylePresetField),
    FieldKind("SystemPromptField", IvkSystemPromptField),
    FieldKind("TensorField", IvkTensorField),
    FieldKind("TransformerField", IvkTransformerField),
    FieldKind("UNetField", IvkUNetField),
    FieldKind("VAEField", IvkVAEField),
    FieldKind("VideoField", IvkVideoField, annotation="str"),
)

FIELD_KINDS: Mapping[str, FieldKind] = {kind.type_name: kind for kind in _KINDS}
"""The kinds by type; every other type has fields of the class ``IvkAnyField``."""

FIELD_CLASSES: Mapping[str, type[IvkField[Any]]] = {kind.type_name: kind.field for kind in _KINDS}
"""The class for each type of the schema."""
