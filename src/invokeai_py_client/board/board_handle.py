"""Where version 1 had the handle of a board."""

from __future__ import annotations

from invokeai_py_client._sync import BoardHandle

__all__ = ["BoardHandle"]
