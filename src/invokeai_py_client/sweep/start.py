"""From a plan to its sweep: the requests built, the manifest begun, the first runs sent."""

from __future__ import annotations

import os
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from invokeai_py_client.sweep.manifest import ManifestWriter
from invokeai_py_client.sweep.requests import prepare_requests
from invokeai_py_client.sweep.sweep import AsyncSweep

if TYPE_CHECKING:
    from invokeai_py_client.connection import Connection
    from invokeai_py_client.engine.inputs import InputSet
    from invokeai_py_client.engine.workflow import LoadedWorkflow
    from invokeai_py_client.schema.template import Schema
    from invokeai_py_client.sweep.plan import SweepPlan


async def start_sweep(
    connection: Connection,
    loaded: LoadedWorkflow,
    schema: Schema,
    plan: SweepPlan,
    inputs: InputSet,
    *,
    manifest: str | os.PathLike[str] | None = None,
    background: bool = False,
    prepend: bool = False,
    auto_board: str | None = None,
    queue_id: str = "default",
) -> AsyncSweep:
    """Start the runs of a plan.

    Args:
        connection: The server.
        loaded: The workflow.
        schema: The server's node types.
        plan: The plan.
        inputs: The inputs with the values that hold for all runs.
        manifest: A new file for the sweep's record. Defaults to none.
        background: Whether to keep only two runs at a time in the server's queue.
        prepend: Whether the runs go to the front of the queue.
        auto_board: The board (id or name) for board fields that say "auto". Defaults to the plan's.
        queue_id: The queue. Defaults to the queue that the web UI shows.

    Raises:
        NotReadyError: The workflow cannot run as it is; nothing was sent.
        ModelNotFoundError: The server lacks a model; nothing was sent.
        UsageError: The workflow has batch nodes of its own, or the manifest exists already; nothing was sent.
    """
    requests = await prepare_requests(
        connection, loaded, schema, plan, inputs, prepend=prepend, auto_board=auto_board
    )
    batch_id = str(uuid.uuid4())
    values, labels = inputs.snapshot(), inputs.node_labels()
    writer = None if manifest is None else ManifestWriter(Path(manifest), anew=True)
    if writer is not None:
        writer.begin(
            requests,
            name=loaded.name,
            url=connection.url,
            queue=queue_id,
            axes=plan.axes,
            batch=batch_id,
            inputs=values,
            labels=labels,
            background=background,
        )
    return await AsyncSweep(
        connection,
        loaded.name,
        plan.axes,
        requests,
        batch_id=batch_id,
        inputs=values,
        labels=labels,
        queue_id=queue_id,
        background=background,
        manifest=writer,
    )
