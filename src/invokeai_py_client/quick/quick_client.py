"""Where version 1 had the quick client."""

from __future__ import annotations

from invokeai_py_client._sync import QuickClient

__all__ = ["QuickClient"]
