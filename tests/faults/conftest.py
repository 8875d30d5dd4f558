"""Fixtures of the tests with misbehaving servers."""

from __future__ import annotations

from on_server import picture
from pool_servers import two_servers

__all__ = ["picture", "two_servers"]
