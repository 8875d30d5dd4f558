"""The lists of values that generator nodes produce for batch nodes.

The server never runs generator nodes. The editor computes their lists, and so does this module, with the same
double-precision arithmetic and the same random stream.
"""

from __future__ import annotations

import math
import random
import random as _random
from collections.abc import Callable, Mapping
from typing import Any, Literal, cast

from invokeai_py_client.editor.js import number, parse_float, parse_int, round_half_up, split, trim
from invokeai_py_client.editor.literals import IMAGES_FROM_BOARD, parse_generator
from invokeai_py_client.errors import InputValueError

MAX_COUNT = 100_000
"""The limit on the number of values: more runs than any queue accepts. The server's default limit is 10,000."""

DYNAMIC_PROMPTS = frozenset(
    {"string_generator_dynamic_prompts_combinatorial", "string_generator_dynamic_prompts_random"}
)
Draw = Callable[[], float]

FAMILIES: Mapping[str, str] = {
    "float_generator": "float_generator_",
    "integer_generator": "integer_generator_",
    "string_generator": "string_generator_",
    "image_generator": "image_generator_",
}
"""Generator node types, each with the prefix of the kinds of generator that it accepts."""


def settings_of(node_type: str, value: Any) -> dict[str, Any] | None:
    """Return the complete settings of a generator node, or None if the value is not valid for its type."""
    if not isinstance(value, dict):
        return None
    given = cast("dict[str, Any]", value)
    if given.get("type") == IMAGES_FROM_BOARD:
        settings: dict[str, Any] | None = parse_generator({k: v for k, v in given.items() if k != "board_id"})
        board_id = given.get("board_id")
        if settings is not None and isinstance(board_id, str) and trim(board_id):
            settings["board_id"] = trim(board_id)
    else:
        settings = parse_generator(given)
    if settings is None or not settings["type"].startswith(FAMILIES[node_type]):
        return None
    return settings


def asks_server(settings: Mapping[str, Any]) -> Literal["dynamic_prompts", "board_images"] | None:
    """Return the kind of request that the server must answer for this generator, or None."""
    if settings["type"] in DYNAMIC_PROMPTS:
        return "dynamic_prompts"
    return "board_images" if settings["type"] == IMAGES_FROM_BOARD else None


def generate(settings: Mapping[str, Any], draw: Draw = _random.random) -> list[Any]:
    """Return the values of a generator that does not need the server.

    Args:
        settings: Complete settings, as ``settings_of()`` returns them.
        draw: The source of random numbers from 0 to 1, excluding 1, for generators without a seed.

    Raises:
        InputValueError: The settings ask for more values than any queue accepts.
    """
    values = settings.get("values")
    if values is not None:
        return [number(value) for value in values]
    kind = settings["type"]
    if kind.endswith("_parse_string"):
        return _parse(kind, settings["input"], settings["splitOn"])
    count = int(settings["count"])
    if count > MAX_COUNT:
        raise InputValueError(f"A generator produces {count} values; expected at most {MAX_COUNT}.")
    if kind.endswith("_random_distribution_uniform"):
        values = _uniform(kind, settings, count, draw)
    elif kind.endswith("_arithmetic_sequence"):
        values = _sequence(settings["start"], settings["step"], count)
    else:
        values = _linear(kind, settings["start"], settings["end"], count)
    return [number(value) for value in values if math.isfinite(value)]


def _sequence(start: float, step: float, count: int) -> list[float]:
    return [start] if step == 0 else [start + index * step for index in range(count)]


def _linear(kind: str, start: float, end: float, count: int) -> list[float]:
    if count == 1:
        return [start]
    offsets = [(end - start) * (index / (count - 1)) for index in range(count)]
    whole = kind.startswith("integer")
    return [start + (round_half_up(offset) if whole else offset) for offset in offsets]


def _uniform(kind: str, settings: Mapping[str, Any], count: int, draw: Draw) -> list[float]:
    low, high, seed = settings["min"], settings["max"], settings.get("seed")
    if seed is not None:
        draw = MersenneTwister(int(seed)).random
    if kind.startswith("integer"):
        return [math.floor(draw() * (high - low + 1)) + low for _ in range(count)]
    return [draw() * (high - low) + low for _ in range(count)]


def _parse(kind: str, text: str, separator: str) -> list[Any]:
    parts = split(text, separator)
    if kind.startswith("string"):
        return [part for part in parts if part]
    parse = parse_int if kind.startswith("integer") else parse_float
    parsed = (parse(part) for part in map(trim, parts) if part)
    return [value for value in parsed if value is not None]


_SIZE = 624
_MASK = 0xFFFFFFFF
_STATE_VERSION = 3  # of random.Random.getstate()


class MersenneTwister:
    """MT19937, seeded with one 32-bit number.

    ``random.Random`` is the same generator, seeded differently (``init_by_array`` of the reference implementation).
    The web UI uses ``init_genrand``, so its state is computed here.

    Args:
        seed: A whole number of any size. Only its lowest 32 bits count, as in JavaScript.
    """

    def __init__(self, seed: int) -> None:
        state = [seed & _MASK]
        for index in range(1, _SIZE):
            previous = state[-1]
            state.append((1812433253 * (previous ^ (previous >> 30)) + index) & _MASK)
        self._source = random.Random(0)
        self._source.setstate((_STATE_VERSION, (*state, _SIZE), None))

    def random(self) -> float:
        """Return a number from 0 to 1, 1 excluded, with 32 random bits; Python's own would have 53."""
        return self._source.getrandbits(32) / 2**32
