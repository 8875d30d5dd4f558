"""The 32-bit Mersenne Twister that the editor draws from when a generator has a seed.

Python's own ``random.Random`` seeds it in another way and joins two outputs to 53 bits: it cannot stand in.
"""

from __future__ import annotations

_SIZE = 624
_SHIFT = 397
_MASK = 0xFFFFFFFF


class MersenneTwister:
    """MT19937, seeded with one 32-bit number (``init_genrand`` of the reference implementation)."""

    def __init__(self, seed: int) -> None:
        state = [seed & _MASK]
        for index in range(1, _SIZE):
            previous = state[-1]
            state.append((1812433253 * (previous ^ (previous >> 30)) + index) & _MASK)
        self._state = state
        self._next = _SIZE

    def _refill(self) -> None:
        state = self._state
        for index in range(_SIZE):
            mixed = (state[index] & 0x80000000) | (state[(index + 1) % _SIZE] & 0x7FFFFFFF)
            state[index] = state[(index + _SHIFT) % _SIZE] ^ (mixed >> 1) ^ (0x9908B0DF if mixed & 1 else 0)
        self._next = 0

    def random(self) -> float:
        """A number from 0 to 1 (1 not included), with 32 random bits."""
        if self._next >= _SIZE:
            self._refill()
        value = self._state[self._next]
        self._next += 1
        value ^= value >> 11
        value ^= (value << 7) & 0x9D2C5680
        value ^= (value << 15) & 0xEFC60000
        value ^= value >> 18
        return value / 4294967296.0
