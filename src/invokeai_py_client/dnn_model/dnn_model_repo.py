"""Where version 1 had the repository of models."""

from __future__ import annotations

from invokeai_py_client._sync import DnnModelRepository

__all__ = ["DnnModelRepository"]
