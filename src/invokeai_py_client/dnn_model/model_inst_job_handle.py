"""Where version 1 had the installation of a model."""

from __future__ import annotations

from invokeai_py_client._sync import ModelInstJobHandle

__all__ = ["ModelInstJobHandle"]
