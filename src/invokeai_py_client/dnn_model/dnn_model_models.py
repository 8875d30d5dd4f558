"""Where version 1 had the model manager's records."""

from __future__ import annotations

from invokeai_py_client.models.dnn_model import FoundModel
from invokeai_py_client.models.dnn_model import ModelCacheStats as ModelManagerStats
from invokeai_py_client.models.enums import HFLoginStatus
from invokeai_py_client.models.enums import InstallStatus as InstallJobStatus
from invokeai_py_client.models.install import ModelInstallConfig, ModelInstJobInfo

__all__ = [
    "FoundModel",
    "HFLoginStatus",
    "InstallJobStatus",
    "ModelInstJobInfo",
    "ModelInstallConfig",
    "ModelManagerStats",
]
