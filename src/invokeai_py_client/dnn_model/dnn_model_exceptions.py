"""Where version 1 had the errors of its model repository."""

from __future__ import annotations

from invokeai_py_client.errors import (
    APIRequestError,
    InvokeAIClientError,
    ModelInstallJobFailed,
    ModelInstallStartError,
    ModelInstallTimeout,
)
from invokeai_py_client.errors import (
    ModelInstallError as ModelManagerError,
)

__all__ = [
    "APIRequestError",
    "InvokeAIClientError",
    "ModelInstallJobFailed",
    "ModelInstallStartError",
    "ModelInstallTimeout",
    "ModelManagerError",
]
