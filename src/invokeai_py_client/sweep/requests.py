"""The requests of a sweep: built from its plan, and sent whole or some of their runs at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from invokeai_py_client.errors import UsageError
from invokeai_py_client.run.lookup import ServerSide
from invokeai_py_client.run.prepare import prepare_request
from invokeai_py_client.sweep.plan import places

if TYPE_CHECKING:
    from invokeai_py_client.connection import Connection
    from invokeai_py_client.engine.inputs import InputSet
    from invokeai_py_client.engine.workflow import LoadedWorkflow
    from invokeai_py_client.schema.template import Schema
    from invokeai_py_client.sweep.plan import SweepPlan


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
        from invokeai_py_client.models.base import jsonable

        names = ("first", "count", "fixed", "groups", "body")
        return {name: jsonable(getattr(self, name)) for name in names}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Request:
        """The request that ``to_dict()`` made this of."""
        return cls(data["first"], data["count"], data["fixed"], tuple(data["groups"]), data["body"])


async def prepare_requests(
    connection: Connection,
    loaded: LoadedWorkflow,
    schema: Schema,
    plan: SweepPlan,
    inputs: InputSet,
    *,
    prepend: bool = False,
    auto_board: str | None = None,
    upload: bool = True,
) -> list[Request]:
    """Check a plan on the server, and build its requests.

    Args:
        connection: The server.
        loaded: The workflow.
        schema: The server's node types.
        plan: The plan.
        inputs: The inputs with the values that hold for all runs.
        prepend: Whether the runs go to the front of the queue.
        auto_board: The board (id or name) for board fields that say "auto". Defaults to the plan's.
        upload: Whether to upload images, and to build the requests. Without it the plan is only checked, and no
            requests are returned.

    Raises:
        NotReadyError: The workflow cannot run as it is; the error lists all findings.
        ModelNotFoundError: The server lacks a model.
        UsageError: The workflow has batch nodes of its own.
    """
    server = ServerSide(connection)
    requests: list[Request] = []
    for part in plan.parts:
        values = inputs.copy()
        # A value of each axis stands in the graph, too: what is required must be there.
        values.set({**part.fixed, **{axis.name: axis.values[0] for group in part.groups for axis in group}})
        data = part.data()
        body = await prepare_request(
            connection,
            loaded,
            schema,
            values,
            prepend=prepend,
            auto_board=plan.auto_board if auto_board is None else auto_board,
            data=data,
            server=server,
            upload=upload,
        )
        if not upload:
            continue
        if len(body["batch"]["data"]) > len(data):
            raise UsageError(
                f"The workflow {loaded.name!r} makes a batch of its own; take its batch nodes out to sweep it."
            )
        shown = tuple({axis.name: axis.values for axis in group} for group in part.groups)
        requests.append(Request(part.first, part.count, part.fixed, shown, body))
    return requests
