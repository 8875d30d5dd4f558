"""Models: list, install, convert and delete them.

This module exports version 1's names. They are loaded on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from invokeai_py_client._lazy import old_names

if TYPE_CHECKING:
    from invokeai_py_client._sync import DnnModelRepository, ModelInstJobHandle
    from invokeai_py_client.errors import (
        APIRequestError,
        InvokeAIClientError,
        ModelInstallJobFailed,
        ModelInstallStartError,
        ModelInstallTimeout,
    )
    from invokeai_py_client.errors import ModelInstallError as ModelManagerError
    from invokeai_py_client.models.dnn_model import FoundModel
    from invokeai_py_client.models.dnn_model import IvkDnnModel as DnnModel
    from invokeai_py_client.models.dnn_model import ModelCacheStats as ModelManagerStats
    from invokeai_py_client.models.enums import BaseModelEnum as BaseDnnModelType
    from invokeai_py_client.models.enums import HFLoginStatus
    from invokeai_py_client.models.enums import InstallStatus as InstallJobStatus
    from invokeai_py_client.models.enums import ModelFormatEnum as DnnModelFormat
    from invokeai_py_client.models.enums import ModelTypeEnum as DnnModelType
    from invokeai_py_client.models.install import ModelInstallConfig, ModelInstJobInfo

__all__ = [
    "APIRequestError",
    "BaseDnnModelType",
    "DnnModel",
    "DnnModelFormat",
    "DnnModelRepository",
    "DnnModelType",
    "FoundModel",
    "HFLoginStatus",
    "InstallJobStatus",
    "InvokeAIClientError",
    "ModelInstJobHandle",
    "ModelInstJobInfo",
    "ModelInstallConfig",
    "ModelInstallJobFailed",
    "ModelInstallStartError",
    "ModelInstallTimeout",
    "ModelManagerError",
    "ModelManagerStats",
]

__getattr__ = old_names(__name__)


def __dir__() -> list[str]:
    return __all__
