"""How a simulated server behaves."""

from __future__ import annotations

from dataclasses import dataclass

_HASH = "blake3:1f27a88906f2658bef4e5c9e8eb6770eadf2378345bae1bf77297c6df58109c6"
MODEL = {"name": "tiny-sd1", "base": "sd-1", "type": "main", "hash": _HASH, "format": "diffusers"}


@dataclass
class Behavior:
    """The settings of a simulated server. All can be changed while it runs.

    Attributes:
        seconds: How long a run takes, in seconds. Defaults to 0.
        fails: The share of the runs that fail, from 0 to 1. Defaults to 0.
        held: Whether items stay pending. Defaults to False.
        is_alive: Whether the server runs. A dead server refuses connections. Defaults to True.
        hangs: Whether the server accepts connections, but neither responds nor sends events. Defaults to False.
        read_ms: How long the server takes to read a whole item, in milliseconds. Defaults to 0.
        previews: Whether the events of a recorded run contain previews. Defaults to True.
        max_queue_size: How many items can be pending. Defaults to 10,000, as on a real server.
        devices: How many devices the server generates on at the same time. Defaults to 1.
        version: The version of the server.
        models: The names of the server's models. Defaults to ``tiny-sd1``.
    """

    seconds: float = 0.0
    fails: float = 0.0
    held: bool = False
    is_alive: bool = True
    hangs: bool = False
    read_ms: float = 0.0
    previews: bool = True
    max_queue_size: int = 10_000
    devices: int = 1
    version: str = "6.14.2"
    models: tuple[str, ...] = ("tiny-sd1",)
