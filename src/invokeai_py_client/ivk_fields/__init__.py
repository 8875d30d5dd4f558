"""Typed fields: what the inputs of a workflow hold."""

from __future__ import annotations

from invokeai_py_client.ivk_fields.base import IvkField
from invokeai_py_client.ivk_fields.collection import IvkCollectionField
from invokeai_py_client.ivk_fields.complex import (
    IvkAnyField,
    IvkBoundingBoxField,
    IvkColorField,
    IvkGeneratorField,
)
from invokeai_py_client.ivk_fields.enums import IvkEnumField, IvkSchedulerField
from invokeai_py_client.ivk_fields.make import FIELD_CLASSES, make_field
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
from invokeai_py_client.ivk_fields.schedulers import SchedulerName

__all__ = [
    "FIELD_CLASSES",
    "IvkAnyField",
    "IvkBoardField",
    "IvkBooleanField",
    "IvkBoundingBoxField",
    "IvkCLIPField",
    "IvkCollectionField",
    "IvkColorField",
    "IvkEnumField",
    "IvkField",
    "IvkFloatField",
    "IvkGeneratorField",
    "IvkImageField",
    "IvkIntegerField",
    "IvkLatentsField",
    "IvkLoRAField",
    "IvkModelIdentifierField",
    "IvkSavedWorkflowField",
    "IvkSchedulerField",
    "IvkStringField",
    "IvkStylePresetField",
    "IvkSystemPromptField",
    "IvkTensorField",
    "IvkTransformerField",
    "IvkUNetField",
    "IvkVAEField",
    "IvkVideoField",
    "SchedulerName",
    "make_field",
]
