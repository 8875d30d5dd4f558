"""Where version 1 had what models are and how they are kept."""

from __future__ import annotations

from invokeai_py_client.models.dnn_model import IvkDnnModel as DnnModel
from invokeai_py_client.models.enums import (
    BaseModelEnum as BaseDnnModelType,
)
from invokeai_py_client.models.enums import (
    ModelFormatEnum as DnnModelFormat,
)
from invokeai_py_client.models.enums import (
    ModelTypeEnum as DnnModelType,
)

__all__ = ["BaseDnnModelType", "DnnModel", "DnnModelFormat", "DnnModelType"]
