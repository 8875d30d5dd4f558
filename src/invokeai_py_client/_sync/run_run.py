"""One run of a workflow: an object that follows its queue item from the queue to its images."""

# Written by tools/generate_sync.py from src/invokeai_py_client/run/run.py:
# change that, and run it again.
# pyright: reportPrivateUsage=false, reportIncompatibleVariableOverride=false

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from invokeai_py_client._sync.face import Face, wrap
from invokeai_py_client.run.run import AsyncRun

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from invokeai_py_client._sync.image_image import Image
    from invokeai_py_client.connection import Connection
    from invokeai_py_client.run.events import RunEvent
    from invokeai_py_client.run.results import Results
    from invokeai_py_client.run.status import RunStatus


class Run(Face[AsyncRun]):
    """One run of a workflow.

    Attributes:
        item_id: The queue item's id.
        batch_id: The batch's id, chosen by this client.
        queue_id: The queue it stands in.
        inputs: The values it was sent with, by the names of the workflow's inputs.

    Example:
        ```python
        run = wf.start(positive_prompt="a lighthouse")
        for event in run.events():
            print(event)
        run.result()
        run.images[0].save("lighthouse.png")
        ```
    """

    @property
    def connection(self) -> Connection:
        return self._impl.connection

    @property
    def item_id(self) -> int:
        """The queue item's id."""
        return self._impl.item_id

    @property
    def batch_id(self) -> str:
        """The batch's id, chosen by this client."""
        return self._impl.batch_id

    @property
    def queue_id(self) -> str:
        """The queue it stands in."""
        return self._impl.queue_id

    @property
    def inputs(self) -> Mapping[str, Any]:
        """The values it was sent with, by the names of the workflow's inputs."""
        return self._impl.inputs

    @property
    def status(self) -> RunStatus:
        """Where the run stands, as far as the server has told."""
        return self._impl.status

    @property
    def done(self) -> bool:
        """Whether the run has ended, well or not."""
        return self._impl.done

    @property
    def item(self) -> Mapping[str, Any]:
        """The queue item as the server gave it when the run ended.

        Raises:
            RunNotFinishedError: The run has not ended, or was not waited for.
        """
        return self._impl.item

    @property
    def outputs(self) -> Results:
        """The outputs of every node.

        Raises:
            RunNotFinishedError: The run has not ended, or was not waited for.
        """
        return self._impl.outputs

    @property
    def images(self) -> list[Image]:
        """The images it made for the gallery; those of intermediate nodes if there are no others.

        Raises:
            RunNotFinishedError: The run has not ended, or was not waited for.
        """
        return wrap(self._impl.images)

    @property
    def seconds(self) -> float | None:
        """How long the server worked on it; None while it has not ended, or never began."""
        return self._impl.seconds

    def node_label(self, node_id: str) -> str:
        """What the workflow calls a node: its label, or its type, or its id."""
        return self._impl.node_label(node_id)

    def events(self) -> Iterator[RunEvent]:
        """Everything that happens to the run, from its beginning until it has ended.

        Events come as the server sends them, none twice. A run that has ended gives those it had.

        Raises:
            ServerUnreachableError: The server stayed away for five minutes.
        """
        return self._iterate(self._impl.events())

    def wait(
        self, timeout: float | None = None, *, on_event: Callable[[RunEvent], object] | None = None
    ) -> RunStatus:
        """Wait until the run has ended, well or not.

        Args:
            timeout: Seconds to wait at most; forever by default.
            on_event: Called with each event, in the caller's thread or event loop.

        Returns:
            The final status. A failed run is no exception here; see ``result()``.

        Raises:
            RunTimeoutError: Time ran out. The run itself goes on.
            ServerUnreachableError: The server stayed away for five minutes.
        """
        return self._call(self._impl.wait(timeout, on_event=on_event))

    def result(self, timeout: float | None = None) -> Results:
        """Wait until the run has ended, and give its outputs.

        Raises:
            RunFailedError: A node failed; the error names it.
            RunCanceledError: The run was canceled, or its item removed.
            RunTimeoutError: Time ran out. The run itself goes on.
        """
        return self._call(self._impl.result(timeout))

    def raise_if_failed(self) -> None:
        """Raise if the run has ended without success.

        Raises:
            RunFailedError: A node failed.
            RunCanceledError: The run was canceled, or its item removed.
        """
        self._impl.raise_if_failed()

    def cancel(self) -> RunStatus:
        """Cancel the run; one that has ended stays as it is.

        Returns:
            The status afterwards.
        """
        return self._call(self._impl.cancel())

    def retry(self) -> Run:
        """Run it once more, as it was sent.

        The server makes a new queue item in the same batch, and only for one that failed or was canceled. It is made
        once: where the answer is lost, the server is asked what it did.

        Returns:
            The new run.

        Raises:
            RunError: The server had nothing to retry.
        """
        return wrap(self._call(self._impl.retry()))

    def refresh(self) -> RunStatus:
        """Read the queue item now.

        Returns:
            The status afterwards.
        """
        return self._call(self._impl.refresh())
