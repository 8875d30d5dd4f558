"""Fixtures of the tests with misbehaving servers."""

from __future__ import annotations

from on_server import picture

__all__ = ["picture"]
