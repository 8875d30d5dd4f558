"""The requests of a sweep, ready to be sent: whole, or some of their runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from invokeai_py_client.sweep.plan import places


@dataclass(frozen=True, slots=True)
class Request:
    """One request, and which run of the sweep each of its rows is.

    Attributes:
        first: The index of its first run in the sweep.
        count: How many runs it makes.
        fixed: The axis values that stand in its graph, by input.
        groups: The axis values of its batch data, as the user gave them: for each group, by input.
        body: The body of ``enqueue_batch``, with the data of all its runs.
    """

    first: int
    count: int
    fixed: Mapping[str, Any]
    groups: tuple[Mapping[str, Sequence[Any]], ...]
    body: Mapping[str, Any]

    def values(self, row: int) -> dict[str, Any]:
        """The axis values of one of its runs."""
        found = dict(self.fixed)
        for group, place in zip(self.groups, places(self._lengths, row), strict=True):
            found.update((name, values[place]) for name, values in group.items())
        return found

    def body_for(self, rows: Sequence[int], batch_id: str) -> dict[str, Any]:
        """The body that makes some of its runs, in the order given."""
        batch: Mapping[str, Any] = self.body["batch"]
        whole = len(rows) == self.count and all(row == index for index, row in enumerate(rows))
        data: list[Any] = batch["data"] if whole else self._spelled_out(rows)
        return {**self.body, "batch": {**batch, "data": data, "batch_id": batch_id}}

    def _spelled_out(self, rows: Sequence[int]) -> list[Any]:
        """Rows of a product are no product: their values stand side by side."""
        taken = [places(self._lengths, row) for row in rows]
        data = [
            {**datum, "items": [datum["items"][place[number]] for place in taken]}
            for number, group in enumerate(self.body["batch"]["data"])
            for datum in group
        ]
        return [data] if data else []

    @property
    def _lengths(self) -> list[int]:
        return [len(next(iter(group.values()))) for group in self.groups]

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for the manifest."""
        from invokeai_py_client.models.jsonable import jsonable

        names = ("first", "count", "fixed", "groups", "body")
        return {name: jsonable(getattr(self, name)) for name in names}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Request:
        """The request that ``to_dict()`` made this of."""
        return cls(data["first"], data["count"], data["fixed"], tuple(data["groups"]), data["body"])
