"""The random stream that the web UI draws from when a generator has a seed."""

from __future__ import annotations

import random

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
