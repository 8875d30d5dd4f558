"""Where version 1 had the record of a board."""

from __future__ import annotations

from invokeai_py_client.models.board import IvkBoard as Board

__all__ = ["Board"]
