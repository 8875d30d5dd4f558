"""The contract's tests use the session's server, as ``tests/server`` does."""

from __future__ import annotations

from on_server import async_client, client, held_queue, long_run, picture, uploaded

__all__ = ["async_client", "client", "held_queue", "long_run", "picture", "uploaded"]
