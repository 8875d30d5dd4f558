"""Models: listed, installed, converted, removed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invokeai_py_client._lazy import lazy_names

if TYPE_CHECKING:
    from invokeai_py_client.dnn_model.dnn_model_exceptions import (
        APIRequestError,
        InvokeAIClientError,
        ModelInstallJobFailed,
        ModelInstallStartError,
        ModelInstallTimeout,
        ModelManagerError,
    )
    from invokeai_py_client.dnn_model.dnn_model_models import (
        FoundModel,
        HFLoginStatus,
        InstallJobStatus,
        ModelInstallConfig,
        ModelInstJobInfo,
        ModelManagerStats,
    )
    from invokeai_py_client.dnn_model.dnn_model_repo import DnnModelRepository
    from invokeai_py_client.dnn_model.dnn_model_types import (
        BaseDnnModelType,
        DnnModel,
        DnnModelFormat,
        DnnModelType,
    )
    from invokeai_py_client.dnn_model.model_inst_job_handle import ModelInstJobHandle

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

_WHERE = {
    "APIRequestError": "dnn_model.dnn_model_exceptions",
    "BaseDnnModelType": "dnn_model.dnn_model_types",
    "DnnModel": "dnn_model.dnn_model_types",
    "DnnModelFormat": "dnn_model.dnn_model_types",
    "DnnModelRepository": "dnn_model.dnn_model_repo",
    "DnnModelType": "dnn_model.dnn_model_types",
    "FoundModel": "dnn_model.dnn_model_models",
    "HFLoginStatus": "dnn_model.dnn_model_models",
    "InstallJobStatus": "dnn_model.dnn_model_models",
    "InvokeAIClientError": "dnn_model.dnn_model_exceptions",
    "ModelInstJobHandle": "dnn_model.model_inst_job_handle",
    "ModelInstJobInfo": "dnn_model.dnn_model_models",
    "ModelInstallConfig": "dnn_model.dnn_model_models",
    "ModelInstallJobFailed": "dnn_model.dnn_model_exceptions",
    "ModelInstallStartError": "dnn_model.dnn_model_exceptions",
    "ModelInstallTimeout": "dnn_model.dnn_model_exceptions",
    "ModelManagerError": "dnn_model.dnn_model_exceptions",
    "ModelManagerStats": "dnn_model.dnn_model_models",
}

__getattr__, __dir__ = lazy_names(__name__, _WHERE, base="invokeai_py_client")
