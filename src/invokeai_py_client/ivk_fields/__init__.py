"""Typed fields: what the inputs of a workflow hold."""

from __future__ import annotations

from invokeai_py_client.ivk_fields.base import IvkField
from invokeai_py_client.ivk_fields.collection import IvkCollectionField, IvkCollectionFieldMixin
from invokeai_py_client.ivk_fields.complex import (
    IvkAnyField,
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
from invokeai_py_client.ivk_fields.enums import (
    COLOR_MODES,
    INTERPOLATION_MODES,
    SCHEDULER_NAMES,
    IvkColorModeField,
    IvkEnumField,
    IvkInterpolationField,
    IvkLiteralField,
    IvkSchedulerField,
)
from invokeai_py_client.ivk_fields.kinds import FIELD_CLASSES
from invokeai_py_client.ivk_fields.make import make_field
from invokeai_py_client.ivk_fields.models import (
    IvkCLIPEmbedField,
    IvkCLIPField,
    IvkFluxModelField,
    IvkLoRAField,
    IvkModelIdentifierField,
    IvkSDXLModelField,
    IvkT5EncoderField,
    IvkTransformerField,
    IvkUNetField,
    IvkVAEField,
    IvkVAEModelField,
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
    IvkImageFieldMixin,
    IvkLatentsField,
    IvkSavedWorkflowField,
    IvkStylePresetField,
    IvkSystemPromptField,
    IvkTensorField,
    IvkVideoField,
)
from invokeai_py_client.ivk_fields.schedulers import SchedulerName

__all__ = [
    "COLOR_MODES",
    "FIELD_CLASSES",
    "INTERPOLATION_MODES",
    "SCHEDULER_NAMES",
    "IvkAnyField",
    "IvkBoardField",
    "IvkBooleanField",
    "IvkBoundingBoxField",
    "IvkCLIPEmbedField",
    "IvkCLIPField",
    "IvkCogView4ConditioningField",
    "IvkCollectionField",
    "IvkCollectionFieldMixin",
    "IvkColorField",
    "IvkColorModeField",
    "IvkConditioningField",
    "IvkDenoiseMaskField",
    "IvkEnumField",
    "IvkField",
    "IvkFloatField",
    "IvkFluxConditioningField",
    "IvkFluxFillConditioningField",
    "IvkFluxKontextConditioningField",
    "IvkFluxModelField",
    "IvkFluxReduxConditioningField",
    "IvkGeneratorField",
    "IvkImageField",
    "IvkImageFieldMixin",
    "IvkIntegerField",
    "IvkInterpolationField",
    "IvkLatentsField",
    "IvkLiteralField",
    "IvkLoRAField",
    "IvkMetadataField",
    "IvkModelIdentifierField",
    "IvkSD3ConditioningField",
    "IvkSDXLModelField",
    "IvkSavedWorkflowField",
    "IvkSchedulerField",
    "IvkStringField",
    "IvkStylePresetField",
    "IvkSystemPromptField",
    "IvkT5EncoderField",
    "IvkTensorField",
    "IvkTransformerField",
    "IvkUNetField",
    "IvkVAEField",
    "IvkVAEModelField",
    "IvkVideoField",
    "SchedulerName",
    "make_field",
]
