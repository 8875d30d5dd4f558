"""Compact storage of the results of ended runs: a client can keep a hundred thousand of them."""

from __future__ import annotations

import marshal
import zlib
from collections.abc import Hashable, Mapping
from typing import Any
from weakref import WeakValueDictionary

from invokeai_py_client.engine.workflow import Key
from invokeai_py_client.run.results import CalledResults, NodeOutput, Results

_VERSION = 2  # without references between equal objects, so that equal data has equal bytes
_LEVEL = 6
_WINDOW = 32768
_RAW = -15
_CALL = ("node_id", "prepared_id", "workflow_id", "item_id")


class _Sample:
    """The bytes of an earlier value of the same kind. Only the differences from it are stored."""

    __slots__ = ("__weakref__", "data")

    def __init__(self, data: bytes) -> None:
        self.data = data


_samples: WeakValueDictionary[Hashable, _Sample] = WeakValueDictionary()


class Packed:
    """JSON data, compressed against earlier data of the same kind.

    Runs of one workflow differ in a few ids and values. An item of 18 kB of JSON, which takes 60 kB as dicts, is
    stored in about 1 kB, and the results of a text-to-image run in 0.4 kB.
    """

    __slots__ = ("_data", "_sample")

    def __init__(self, value: Any, kind: Hashable) -> None:
        """Pack a value.

        Args:
            value: The value. It can also contain tuples.
            kind: Values of the same kind are assumed to be similar.
        """
        data = marshal.dumps(value, _VERSION)
        sample = _samples.get(kind)
        # The first run of a workflow may have failed early, and resemble no other.
        if sample is None or min(len(data), _WINDOW) > 2 * len(sample.data):
            sample = _samples[kind] = _Sample(data[-_WINDOW:])
        packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _RAW, 8, zlib.Z_DEFAULT_STRATEGY, sample.data)
        self._data = packer.compress(data) + packer.flush()
        self._sample = sample

    def value(self) -> Any:
        """Return a copy of the value."""
        return marshal.loads(zlib.decompressobj(_RAW, self._sample.data).decompress(self._data))


class PackedResults:
    """The results of a run, and other data about it.

    Args:
        results: The results.
        seeds: The seeds that the run's nodes used.
        item: The queue item.
    """

    __slots__ = ("_called", "_data", "_names")

    def __init__(self, results: Results, seeds: Mapping[Key, int], item: Mapping[str, Any]) -> None:
        outputs = [
            tuple([getattr(output, name) for name in NodeOutput.__slots__]) for output in results.outputs
        ]
        self._names = results.names
        self._called = tuple(
            [
                (tuple([getattr(call, name) for name in _CALL]), PackedResults(call.results, {}, {}))
                for call in results.called
            ]
        )
        value = (dict(item), dict(seeds), list(results.inputs), outputs)
        self._data = Packed(value, results.names)

    def item(self) -> dict[str, Any]:
        """Return the queue item."""
        return self._data.value()[0]

    def seeds(self) -> dict[Key, int]:
        """Return the seeds that the run's nodes used."""
        return self._data.value()[1]

    def results(self) -> Results:
        """Return the results."""
        _, _, inputs, outputs = self._data.value()
        return Results(
            tuple([NodeOutput(*output) for output in outputs]),
            tuple([CalledResults(*call, results=results.results()) for call, results in self._called]),
            self._names,
            frozenset(inputs),
        )
