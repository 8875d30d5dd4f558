"""The requests of a sweep, built from its plan. All runs of a request, or only some, can be sent at a time."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from invokeai_py_client._base import restore_fields
from invokeai_py_client.errors import UsageError
from invokeai_py_client.run.lookup import ServerSide
from invokeai_py_client.run.prepare import prepare_request
from invokeai_py_client.sweep.plan import places
from invokeai_py_client.transport.json_shape import ListOf, Shape, shape_error

if TYPE_CHECKING:
    from invokeai_py_client.connection import Connection
    from invokeai_py_client.engine.inputs import InputSet
    from invokeai_py_client.engine.workflow import LoadedWorkflow
    from invokeai_py_client.schema.template import Schema
    from invokeai_py_client.sweep.plan import SweepPlan


_SHAPE: Shape = {
    "first": int,
    "count": int,
    "fixed": dict,
    "groups": ListOf(dict),
    "body": {
        "batch": {"graph": {"nodes": dict}, "data": ListOf(ListOf({"items": list})), "workflow": object}
    },
}
"""The shape of a request in a manifest."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request of a sweep. Each row of the request is one run.

    Attributes:
        first: The index of the first run in the sweep.
        count: The number of runs.
        fixed: The axis values in the graph, by input.
        groups: The axis values in the batch data, as the user passed them: by group, then by input.
        body: The body of ``enqueue_batch`` with the data of all runs.
        names: The name of each run from the table's column ``name``. Empty if the table lacks it.
    """

    first: int
    count: int
    fixed: Mapping[str, Any]
    groups: tuple[Mapping[str, Sequence[Any]], ...]
    body: Mapping[str, Any]
    names: tuple[str, ...] = ()

    def __setstate__(self, state: Sequence[Any]) -> None:
        restore_fields(self, state)

    def values(self, row: int) -> dict[str, Any]:
        """Return the axis values of a run."""
        found = dict(self.fixed)
        for group, place in zip(self.groups, places(self._lengths, row), strict=True):
            found.update((name, values[place]) for name, values in group.items())
        return found

    def body_for(self, rows: Sequence[int], batch_id: str) -> dict[str, Any]:
        """Return the request body for some of the runs, in this order."""
        batch: Mapping[str, Any] = self.body["batch"]
        whole = len(rows) == self.count and all(row == index for index, row in enumerate(rows))
        data: list[Any] = batch["data"] if whole else self._spelled_out(rows)
        return {**self.body, "batch": {**batch, "data": data, "batch_id": batch_id}}

    def _spelled_out(self, rows: Sequence[int]) -> list[Any]:
        """Return batch data that lists the values of each row, because some rows of a product are not a product."""
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
        """Return the request as JSON data for the manifest."""
        from invokeai_py_client.models.base import jsonable

        names = ("first", "count", "fixed", "groups", "body")
        plain = {name: jsonable(getattr(self, name)) for name in names}
        return {**plain, "names": list(self.names)} if self.names else plain

    @classmethod
    def problem(cls, data: Mapping[str, Any], first: int) -> str | None:
        """Return the difference between JSON data and a request, as the end of a sentence. None if it is a request.

        Args:
            data: The data.
            first: The index of the first run.
        """
        wrong = shape_error(data, _SHAPE)
        if wrong is not None:
            return f"it {wrong}"
        if data["first"] != first:
            return f"'first' is {data['first']!r}; expected {first}"
        lengths: list[int] = []
        for number, group in enumerate(data["groups"]):
            found = {
                len(cast("list[Any]", values)) if isinstance(values, list) else 0 for values in group.values()
            }
            if len(found) != 1 or found == {0}:
                return f"'groups[{number}]' has no values, or lists of different lengths"
            lengths += found
        if data["count"] != math.prod(lengths):
            return f"'count' is {data['count']!r}; expected {math.prod(lengths)}"
        items = [{len(datum["items"]) for datum in group} for group in data["body"]["batch"]["data"]]
        if [*map(list, items)] != [[length] for length in lengths]:
            return "'body.batch.data' does not match 'groups'"
        if len(data.get("names") or ()) not in (0, data["count"]):
            return f"'names' does not have {data['count']} names"
        nodes: Mapping[str, Any] = data["body"]["batch"]["graph"]["nodes"]
        wrong = shape_error([*nodes.values()], ListOf({"type": str}))
        return None if wrong is None else f"'body.batch.graph.nodes' {wrong}"

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Request:
        """Return the request that ``to_dict()`` serialized."""
        names = tuple(data.get("names", ()))
        return cls(data["first"], data["count"], data["fixed"], tuple(data["groups"]), data["body"], names)


class RowInputs(Mapping[str, Any]):
    """The inputs of one run, looked up in its request, because a sweep can have a hundred thousand runs.

    Args:
        request: The request.
        row: The run's row in the request.
        shared: The inputs that all runs share.
    """

    __slots__ = ("_request", "_row", "_shared")

    def __init__(self, request: Request, row: int, shared: Mapping[str, Any]) -> None:
        self._request = request
        self._row = row
        self._shared = shared

    def _values(self) -> dict[str, Any]:
        return {**self._shared, **self._request.values(self._row)}

    def __getitem__(self, key: str) -> Any:
        return self._values()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values())

    def __len__(self) -> int:
        return len(self._values())

    def __repr__(self) -> str:
        return repr(self._values())


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
    placeholders: bool = False,
    server: ServerSide | None = None,
) -> list[Request]:
    """Check a plan against the server and build its requests.

    Args:
        connection: The server.
        loaded: The workflow.
        schema: The server's node types.
        plan: The plan.
        inputs: The inputs with the values that all runs share.
        prepend: Whether to put the runs at the front of the queue. Defaults to False.
        auto_board: The board (id or name) for board fields set to "auto". Defaults to the board of the plan.
        upload: Whether to upload images and build the requests. If False, the plan is only checked and no requests
            are returned. Defaults to True.
        placeholders: Whether to build the requests even if ``upload`` is False, with placeholders in place of the names
            of uploaded images. Defaults to False.
        server: The lookups to share. Defaults to new ones.

    Raises:
        NotReadyError: The workflow cannot run with these values. The error lists all findings.
        ModelNotFoundError: A model is not on the server.
        UsageError: The workflow contains batch nodes.
    """
    server = server or ServerSide(connection)
    requests: list[Request] = []
    if upload and len(plan.parts) > 1:  # find all problems before the first upload
        await prepare_requests(
            connection,
            loaded,
            schema,
            plan,
            inputs,
            prepend=prepend,
            auto_board=auto_board,
            upload=False,
            server=server,
        )
    for part in plan.parts:
        values = inputs.copy()
        # The graph needs a value for each axis, because required inputs must not be empty.
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
            placeholders=placeholders,
        )
        if not body:
            continue
        if len(body["batch"]["data"]) > len(data):
            raise UsageError(
                f"The workflow {loaded.name!r} contains batch nodes, so it cannot be swept. Remove its batch nodes."
            )
        shown = tuple({axis.name: axis.values for axis in group} for group in part.groups)
        names = tuple(plan.names[part.row(index)] for index in range(part.count)) if plan.names else ()
        requests.append(Request(part.first, part.count, part.fixed, shown, body, names))
    return requests
