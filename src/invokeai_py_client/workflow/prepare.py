"""From inputs to the request: the one place where a workflow, its values and a server come together.

In order: what only the server can answer is asked (names of models and boards, images to upload, drawn
prompts); everything is checked; the body is built.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from invokeai_py_client.errors import ModelNotFoundError, NotReadyError, UsageError
from invokeai_py_client.ivk_fields.pending import (
    BoardByName,
    LocalImage,
    ModelByName,
    find_pending,
    replace_pending,
)
from invokeai_py_client.workflow.batch import server_generators, value_of
from invokeai_py_client.workflow.readiness import (
    find_problems,
    label_of,
    raise_for_problems,
    unknown_node_types,
)
from invokeai_py_client.workflow.references import Reference, references
from invokeai_py_client.workflow.request import build_request
from invokeai_py_client.workflow.server_side import (
    ServerSide,
    find_model,
    identifier_of,
    missing_model,
    model_by_name,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from invokeai_py_client.client import AsyncInvokeAIClient
    from invokeai_py_client.schema.schema import Schema
    from invokeai_py_client.workflow.inputs import InputSet, WorkflowInput
    from invokeai_py_client.workflow.loaded import Key, LoadedWorkflow


async def prepare_request(
    client: AsyncInvokeAIClient,
    loaded: LoadedWorkflow,
    schema: Schema,
    inputs: InputSet,
    *,
    validate: bool = True,
    runs: int = 1,
    prepend: bool = False,
    auto_board: str | None = None,
    batch_id: str | None = None,
    data: Sequence[Any] = (),
) -> dict[str, Any]:
    """The body of an enqueue request.

    Args:
        client: The server.
        loaded: The workflow.
        schema: The server's node types.
        inputs: The workflow's inputs with the values to use.
        validate: Whether to check everything, and whether what the workflow names is there.
        runs: How often the server repeats the batch.
        prepend: Whether it goes to the front of the queue.
        auto_board: Id or name of the board for board fields that say "auto".
        batch_id: The batch's id.
        data: Further batch data: the axes of a sweep.

    Raises:
        UnknownNodeError: The server lacks node types.
        NotReadyError: Something else is wrong; the error lists all findings.
        ModelNotFoundError: The server lacks a model.
    """
    if runs < 1:
        raise UsageError(f"runs must be 1 or more, not {runs}.")
    server = ServerSide(client)
    if validate and unknown_node_types(loaded, schema):
        raise_for_problems(find_problems(loaded, schema, {}), loaded, schema)
    values = await _resolved(server, inputs)
    if validate:
        values |= await _checked_references(server, loaded, schema, values, inputs)
    generated = await server.generated(server_generators(loaded, values))
    if validate:
        raise_for_problems(find_problems(loaded, schema, values, generated), loaded, schema)
    board = None if auto_board in (None, "none") else await server.board_id(auto_board, "auto_board")
    body = build_request(
        loaded,
        schema,
        values,
        runs=runs,
        prepend=prepend,
        auto_board=board,
        generated=generated,
        batch_id=batch_id,
    )
    body["batch"]["data"].extend(data)
    return body


def not_ready(name: str, findings: Sequence[str]) -> NotReadyError:
    """One error for everything that keeps a workflow from running."""
    listed = "\n".join(f"- {finding}" for finding in findings)
    return NotReadyError(f"{name!r} cannot run as it is:\n{listed}", findings)


async def _resolved(server: ServerSide, inputs: InputSet) -> dict[Key, Any]:
    """The values that were set, in their form on the wire, with names and files looked up and uploaded."""
    values: dict[Key, Any] = {}
    for key, item in inputs.touched().items():
        pending = find_pending(item.field.value)
        if not pending:
            values[key] = item.field.to_api_format()
            continue
        answers = await asyncio.gather(*(_answer(server, item, one) for one in pending))
        field = item.field.copy()
        field.value = replace_pending(field.value, dict(zip(pending, answers, strict=True)))
        values[key] = field.to_api_format()
    return values


async def _answer(server: ServerSide, item: WorkflowInput, pending: Any) -> Any:
    place = f"{item.node_name}.{item.field_name}"
    if isinstance(pending, ModelByName):
        fitting = [model for model in await server.models() if item.field.accepts_model(model)]
        return identifier_of(model_by_name(pending.text, fitting, place))
    if isinstance(pending, BoardByName):
        return {"board_id": await server.board_id(pending.text, place)}
    if isinstance(pending, LocalImage):
        return {"image_name": await server.upload(pending)}
    raise UsageError(f"{place}: {pending!r} cannot be resolved.")


async def _checked_references(
    server: ServerSide, loaded: LoadedWorkflow, schema: Schema, values: Mapping[Key, Any], inputs: InputSet
) -> dict[Key, Any]:
    """Models under the keys of this server, for those that the workflow brought from another one.

    Raises:
        ModelNotFoundError: The server lacks a model, and nothing else is missing.
        NotReadyError: It lacks images, videos or boards.
    """
    translated: dict[Key, Any] = {}
    no_models: list[str] = []
    others: list[str] = []
    for reference in references(loaded, values, schema):
        key = (reference.node_id, reference.field)
        place = f"{label_of(loaded.nodes[reference.node_id], schema)}.{reference.field}"
        if reference.kind == "model":
            models = await server.models()
            found = find_model(reference.value, models)
            if found is None:
                field = inputs.at(key).field
                fitting = [model for model in models if field.accepts_model(model)]
                no_models.append(missing_model(reference.value, fitting, place))
            elif found["key"] != reference.value.get("key"):
                whole = (
                    translated[key] if key in translated else value_of(loaded.nodes[key[0]], key[1], values)
                )
                translated[key] = _with_model(whole, reference, identifier_of(found))
        elif not await _exists(server, reference):
            others.append(f"{place}: the server has no {reference.kind} {_name(reference)!r}.")
    if no_models and not others:
        raise ModelNotFoundError("\n".join(no_models))
    if no_models or others:
        raise not_ready(loaded.name, [*no_models, *others])
    return translated


def _with_model(whole: Any, reference: Reference, identifier: Mapping[str, Any]) -> Any:
    """A field's value with one of its models under another identifier."""
    if reference.index is not None:
        items: list[Any] = list(whole)
        items[reference.index] = _with_model(
            items[reference.index], replace(reference, index=None), identifier
        )
        return items
    if "lora" in whole:
        return {**whole, "lora": _with_model(whole["lora"], reference, identifier)}
    extra = {"submodel_type": whole["submodel_type"]} if "submodel_type" in whole else {}
    return {**identifier, **extra}


async def _exists(server: ServerSide, reference: Reference) -> bool:
    name = _name(reference)
    if reference.kind == "image":
        return await server.has_image(name)
    if reference.kind == "video":
        return await server.has_video(name)
    if reference.kind == "workflow":
        return await server.has_workflow(name)
    return any(board["board_id"] == name for board in await server.boards())


def _name(reference: Reference) -> str:
    value = reference.value
    if isinstance(value, str):
        return value
    return str(value.get(f"{reference.kind}_name") or value.get(f"{reference.kind}_id"))
