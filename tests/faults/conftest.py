"""Fixtures of the tests with misbehaving servers."""

from __future__ import annotations

from dask_cluster import cluster
from on_server import picture
from pool_servers import two_servers

__all__ = ["cluster", "picture", "two_servers"]
