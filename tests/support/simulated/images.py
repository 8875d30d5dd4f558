"""The images of simulated servers: one color each, which depends only on the run's values."""

from __future__ import annotations

import hashlib
import json
import struct
import zlib
from typing import Any

from simulated.queue import Item

_SIDE = 8


def color_of(item: Item) -> bytes:
    """Return the color of the images of a run: the same for the same values, on whichever server it ran."""
    nodes = json.dumps(item.batch.nodes(item.row), sort_keys=True)
    return hashlib.md5(nodes.encode(), usedforsecurity=False).digest()[:3]


def png(color: bytes) -> bytes:
    """Return a PNG of one color."""
    rows = (b"\0" + color * _SIDE) * _SIDE
    header = struct.pack(">IIBBBBB", _SIDE, _SIDE, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", header)
        + _chunk(b"IDAT", zlib.compress(rows))
        + _chunk(b"IEND", b"")
    )


def image_record(
    name: str, item: Item | None, session_id: str | None, board_id: str | None
) -> dict[str, Any]:
    """Return the record of an image, as the server sends it."""
    created = "2026-11-26 18:06:45.000" if item is None else item.completed_at or item.created_at
    return {
        "image_name": name,
        "image_url": f"api/v1/images/i/{name}/full",
        "thumbnail_url": f"api/v1/images/i/{name}/thumbnail",
        "image_origin": "external" if item is None else "internal",
        "image_category": "user" if item is None else "general",
        "width": _SIDE,
        "height": _SIDE,
        "created_at": created,
        "updated_at": created,
        "deleted_at": None,
        "is_intermediate": False,
        "session_id": session_id,
        "node_id": None,
        "starred": False,
        "has_workflow": False,
        "image_subfolder": "",
        "board_id": board_id,
    }


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
