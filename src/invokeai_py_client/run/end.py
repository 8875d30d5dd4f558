"""The end of a run: its queue item, its results, and the errors it raises."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from invokeai_py_client._text import clip, node_place
from invokeai_py_client.engine.workflow import Key
from invokeai_py_client.errors import RunCanceledError, RunFailedError
from invokeai_py_client.models.enums import JobStatus
from invokeai_py_client.run.packed import PackedResults
from invokeai_py_client.run.results import (
    CalledResults,
    GraphFacts,
    Results,
    failing_node,
    results_of_item,
    seconds_of_item,
    seeds_of_item,
)

if TYPE_CHECKING:
    from invokeai_py_client.engine.seeds import SeedNames
    from invokeai_py_client.run.run import AsyncRun

_LARGE = frozenset({"session", "workflow"})
_SHARED_CACHE = (
    " The image belongs to another user. If no input names it, the server's node cache returned it: users share the "
    "cache (InvokeAI 6.14). Change a value of the nodes before this one, such as the seed, or set useCache to false "
    "for them in the workflow. An administrator can turn the cache off for all users with node_cache_size: 0 in "
    "invokeai.yaml."
)
_ADVICE = {
    "Queue user is not authorized to access this image": _SHARED_CACHE,
    "Queue user is not authorized to access this video": _SHARED_CACHE.replace("The image", "The video"),
}


class RunEnd:
    """The queue item and the results of a run that has ended. Empty until then.

    A run fills it in when someone waits for the run. A sweep fills in the ends of its runs itself, because it reads
    many items in one request. The data is stored in compact form, and each access returns a copy.

    Args:
        record: The run's line in a sweep's manifest. It replaces the item when a sweep is resumed.

    Attributes:
        failing: The node that failed, if one did.
        record: The run's line in a sweep's manifest.
    """

    __slots__ = ("_packed", "_seconds", "failing", "record")

    def __init__(self, record: Mapping[str, Any] | None = None) -> None:
        self.failing: str | None = None
        self.record = record
        self._packed: PackedResults | None = None
        self._seconds: float | None = None

    @property
    def taken(self) -> bool:
        """Whether the results are known."""
        return self._packed is not None

    @property
    def item(self) -> Mapping[str, Any] | None:
        """The queue item. For a run of a sweep, without its session and its workflow."""
        return None if self._packed is None else self._packed.item()

    @property
    def results(self) -> Results | None:
        """The outputs of every node."""
        return None if self._packed is None else self._packed.results()

    @property
    def seeds(self) -> Mapping[Key, int]:
        """The seeds that the nodes used, by node id and field or output."""
        return {} if self._packed is None else self._packed.seeds()

    @property
    def recorded_images(self) -> Sequence[str] | None:
        """The names of the images, if only a manifest has them."""
        return self.record["images"] if self.record is not None and not self.taken else None

    @property
    def recorded_videos(self) -> Sequence[str] | None:
        """The names of the videos, if only a manifest has them."""
        # Manifests have no such list if there are no videos, as before the client knew videos.
        return self.record.get("videos", ()) if self.record is not None and not self.taken else None

    @property
    def seconds(self) -> float | None:
        """How many seconds the server worked on the run, or None if unknown."""
        if self._packed is None and self.record is not None:
            return self.record["seconds"]
        return self._seconds

    def drawn(self, names: SeedNames) -> dict[str, Any]:
        """Return the seeds that random nodes drew on the server, by the names of their inputs."""
        if not names.drawn:
            return {}
        if self.record is not None and not self.taken:
            values: Mapping[str, Any] = self.record["inputs"]
            return {name: values[name] for name in names.drawn.values() if name in values}
        seeds = self.seeds
        return {name: seeds[key] for key, name in names.drawn.items() if key in seeds}

    def take(
        self,
        item: Mapping[str, Any],
        labels: Mapping[str, str],
        called: tuple[CalledResults, ...] = (),
        *,
        whole: bool = True,
        facts: GraphFacts | None = None,
    ) -> None:
        """Store the ended queue item and its results.

        Args:
            item: The queue item.
            labels: The labels of the workflow's nodes, by node id.
            called: The results of the workflows that the run called.
            whole: Whether to keep the item's session and workflow. They are large, and a sweep has thousands of
                items. Defaults to True.
            facts: What is known about the graph of the item.
        """
        results = results_of_item(item, labels, called, facts)
        self.failing = failing_node(item)
        kept = item if whole else {key: value for key, value in item.items() if key not in _LARGE}
        self._store(kept, results, seeds_of_item(item))

    def adopt(self, other: RunEnd) -> None:
        """Take over the queue item and the results of the same run."""
        self.failing = other.failing
        self._packed = other._packed
        self._seconds = other._seconds

    def _store(self, item: Mapping[str, Any], results: Results, seeds: Mapping[Key, int]) -> None:
        self._seconds = seconds_of_item(item)
        self._packed = PackedResults(results, seeds, item)

    def __getstate__(self) -> dict[str, Any]:
        names = ("item", "results", "failing", "record", "seeds")
        return {name: getattr(self, name) for name in names}

    def __setstate__(self, state: Any) -> None:
        # Earlier versions stored the attributes as they are, in slots.
        values: Mapping[str, Any] = cast("tuple[None, Any]", state)[1] if isinstance(state, tuple) else state
        RunEnd.__init__(self, values["record"])
        self.failing = values["failing"]
        if values["results"] is not None:
            self._store(values["item"] or {}, values["results"], values.get("seeds", {}))


def removed_item(item_id: int, batch_id: str) -> dict[str, Any]:
    """Return a substitute for a queue item that no longer exists on the server."""
    return {"item_id": item_id, "batch_id": batch_id, "status": "canceled"}


def raise_if_failed(run: AsyncRun, failing: str | None, labels: Mapping[str, str]) -> None:
    """Raise if a run has ended without success.

    Args:
        run: The run.
        failing: The id of the node that failed, if the session names it.
        labels: The labels of the workflow's nodes, by id.

    Raises:
        RunFailedError: A node failed.
        RunCanceledError: The run was canceled, or its item removed.
    """
    status = run.status
    ids: dict[str, Any] = {"item_id": run.item_id, "batch_id": run.batch_id}
    if status.state is JobStatus.CANCELLED:
        what = "was canceled"
        if status.gone:
            what = (
                "was removed from the queue (deleted, cleared or pruned, or the server's database was recreated) "
                "before its result was known"
            )
        raise RunCanceledError(f"Queue item {run.item_id} {what}.", **ids)
    if status.state is not JobStatus.FAILED:
        return
    node_id = failing or status.node_id
    label = run.node_label(node_id) if node_id else "an unknown node"
    place = node_place(node_id, labels) if node_id else label
    message = " ".join((status.error_message or "").split())
    raise RunFailedError(
        f"Queue item {run.item_id} failed at {place}: {status.error_type}: {clip(message, 500)}{_advice(message)}",
        node_id=node_id,
        node_label=label,
        error_type=status.error_type,
        error_message=status.error_message,
        error_traceback=status.error_traceback,
        **ids,
    )


def _advice(message: str) -> str:
    """Return what to do about an error whose message does not describe its cause, or ""."""
    advice = next((advice for sign, advice in _ADVICE.items() if sign in message), "")
    return advice if not advice or message.endswith(".") else f".{advice}"
