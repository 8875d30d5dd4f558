"""Recipes at work: what they need from the server, and their runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from invokeai_py_client._aio import gather_or_cancel
from invokeai_py_client.errors import RunError, RunTimeoutError, UnknownNodeError, UsageError
from invokeai_py_client.ivk_fields.pending import LocalImage
from invokeai_py_client.lookup import MODELS
from invokeai_py_client.models.enums import JobStatus
from invokeai_py_client.recipes.choose import pick_model
from invokeai_py_client.recipes.values import check_mask, size_values
from invokeai_py_client.recipes.wiring import Recipe, build_recipe
from invokeai_py_client.run.enqueue import cancel_quietly
from invokeai_py_client.run.lookup import ServerSide

if TYPE_CHECKING:
    from invokeai_py_client.connection import Connection
    from invokeai_py_client.engine.inputs import InputSet, WorkflowInput
    from invokeai_py_client.image.image import AsyncImage
    from invokeai_py_client.lookup import ModelRef
    from invokeai_py_client.run.events import RunEvent
    from invokeai_py_client.schema.template import Schema
    from invokeai_py_client.sweep.sweep import AsyncSweep
    from invokeai_py_client.workflow.handle import AsyncWorkflowHandle


async def new_recipe(
    connection: Connection, model: ModelRef | None, *, image: bool, mask: bool
) -> tuple[Recipe, Schema]:
    """Return the recipe for images with a model, and the server's node types.

    Raises:
        ModelNotFoundError: The model, or a model that it needs, is not on the server.
        UsageError: The model cannot make such images, or there is a mask but no image.
        UnknownNodeError: The server lacks node types for the model.
    """
    check_mask(image=image, mask=mask)
    text = None if model is None else MODELS.text(model)
    records = await ServerSide(connection).models()
    record, kind = pick_model(text, records)
    schema = await connection.schema()
    try:
        return build_recipe(kind, record, records, schema, image=image, mask=mask), schema
    except UnknownNodeError:  # nodes may have been installed since the schema was cached
        schema = await connection.schema(refresh=True)
        return build_recipe(kind, record, records, schema, image=image, mask=mask), schema


async def picture_values(connection: Connection, inputs: InputSet, image: Any, mask: Any) -> dict[str, Any]:
    """Return the values for an image and a mask: both, and the size of the image.

    Args:
        connection: The server.
        inputs: The inputs of the workflow.
        image: The image, or whether there will be one.
        mask: The mask, or whether there will be one.

    Raises:
        InputValueError: The image or the mask is not readable.
        UnknownNameError: The image or the mask is not on the server.
        UsageError: Pillow is needed and not installed.
    """
    from invokeai_py_client.files.photos import alpha_mask, photo_size

    values: dict[str, Any] = {}
    if not isinstance(image, bool):
        item = inputs.find("image")
        values["image"] = image
        found = _picture(connection, item, image)
        if isinstance(found, LocalImage):
            size = photo_size(await _content(found), _name(found))
        else:
            record = await found.record()
            size = (record.width, record.height) if record.width and record.height else None
        values |= size_values(inputs, size)
    if not isinstance(mask, bool):
        found = _picture(connection, inputs.find("mask"), mask)
        turned = await asyncio.to_thread(alpha_mask, await _content(found), _name(found))
        values["mask"] = mask if turned is None else turned
    return values


def _picture(connection: Connection, item: WorkflowInput, value: Any) -> LocalImage | AsyncImage:
    from invokeai_py_client.image.image import AsyncImage

    checked: Any = item.check(value)
    return checked if isinstance(checked, LocalImage) else AsyncImage(connection, checked["image_name"])


async def _content(picture: LocalImage | AsyncImage) -> bytes:
    from invokeai_py_client.files.images import read_local

    if isinstance(picture, LocalImage):
        return await asyncio.to_thread(read_local, picture)
    return await picture.bytes()


def _name(picture: LocalImage | AsyncImage) -> str:
    return picture.path or picture.name if isinstance(picture, LocalImage) else picture.name


async def make_images(
    wf: AsyncWorkflowHandle,
    values: Mapping[str, Any],
    *,
    count: int,
    seed: int,
    timeout: float | None,
    progress: bool | Callable[[RunEvent], object] | None,
    preview: bool | None,
) -> list[AsyncImage]:
    """Run a workflow with seeds that follow each other, in one request, and return its images.

    If the call is interrupted, the runs are canceled.

    Args:
        wf: The workflow.
        values: The values of all runs.
        count: The number of runs.
        seed: The first seed.
        timeout: Seconds to wait, or None for no limit.
        progress: Whether to show progress, or a function that gets the events.
        preview: Whether to show a live preview.

    Raises:
        RunFailedError: A run failed. ``images`` has those of the others.
        RunCanceledError: Someone canceled a run.
        RunTimeoutError: The runs were not finished in time. They continue.
        UsageError: A preview of several runs was requested.
    """
    if count == 1:
        run = await wf.run({**values, "seed": seed}, timeout=timeout, progress=progress, preview=preview)
        return run.images
    if preview:
        raise UsageError(f"Cannot show a preview of {count} images. Leave out preview, or make one image.")
    plan = await wf.sweep_plan(repeat=count, seed=seed, values=values)
    sweep = await wf.start_sweep(plan)
    try:
        await _wait(sweep, timeout, progress)
    except asyncio.CancelledError:
        await cancel_quietly(sweep.cancel())
        raise
    made = [image for run in sweep.runs if run.status.ok for image in run.images]
    failed = sorted(sweep.failed, key=lambda run: run.status.state is not JobStatus.FAILED)
    for run in failed:
        try:
            run.raise_if_failed()
        except RunError as error:
            error.images = made
            raise
    return made


async def _wait(
    sweep: AsyncSweep, timeout: float | None, progress: bool | Callable[[RunEvent], object] | None
) -> None:
    scope = asyncio.timeout(timeout)
    try:
        async with scope:
            if callable(progress):
                followed = [run.wait(on_event=progress) for run in sweep.runs]
                await gather_or_cancel((sweep.wait(progress=False), *followed))
            else:
                await sweep.wait(progress=progress)
    except TimeoutError:
        if not scope.expired():
            raise
        raise RunTimeoutError(
            f"{sweep.done} of {len(sweep)} runs finished within {timeout:g} s. The others continue on the server.",
            batch_id=sweep.runs[0].batch_id,
        ) from None
