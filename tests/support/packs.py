"""Node packs for the servers of the tests."""

from __future__ import annotations

from pathlib import Path

_FOLDER = Path(__file__).parent / "node_packs"

CHEAP_COLLECTIONS = _FOLDER / "cheap_collections"
"""Shortens every run by more than half a second. Changes nothing else, so each server of the tests may have it."""

HOLD = _FOLDER / "hold"
"""Nodes that run until their queue item is canceled."""

TWO_WORKERS = _FOLDER / "two_workers"
"""Makes the server run two workers on the CPU."""
