"""From inputs to the request: the one place where a workflow, its values and a server come together.

In order: what only the server can answer is asked (names of models and boards, drawn prompts); everything is
checked; images are uploaded, now that nothing stands against the run; the body is built.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar, cast

from invokeai_py_client._aio import gather_or_cancel
from invokeai_py_client.engine.batch import local_images, named_images, server_generators, uploaded, value_of
from invokeai_py_client.engine.models import (
    compatible_hint,
    find_model,
    identifier_of,
    missing_model,
    model_by_name,
    with_model,
)
from invokeai_py_client.engine.readiness import (
    Problem,
    find_problems,
    label_of,
    raise_for_problems,
    unknown_node_types,
)
from invokeai_py_client.engine.references import Reference, references
from invokeai_py_client.engine.request import build_request
from invokeai_py_client.errors import ModelNotFoundError, NotReadyError, UsageError
from invokeai_py_client.ivk_fields.pending import (
    BoardByName,
    LocalImage,
    ModelByName,
    Pending,
    find_pending,
    replace_pending,
)
from invokeai_py_client.run.lookup import ServerSide
from invokeai_py_client.schema.template import UNSET

if TYPE_CHECKING:
    from collections.abc import Sequence

    from invokeai_py_client.connection import Connection
    from invokeai_py_client.engine.inputs import InputSet, WorkflowInput
    from invokeai_py_client.engine.workflow import Key, LoadedWorkflow
    from invokeai_py_client.schema.template import Schema

T = TypeVar("T")


async def prepare_request(
    connection: Connection,
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
    server: ServerSide | None = None,
    upload: bool = True,
) -> dict[str, Any]:
    """The body of an enqueue request.

    Args:
        connection: The server.
        loaded: The workflow.
        schema: The server's node types.
        inputs: The workflow's inputs with the values to use.
        validate: Whether to check everything, and whether what the workflow names is there. Without it the
            server is asked for nothing but what the values that were set leave to be looked up, and for the
            values of generators that only it can draw.
        runs: How often the server repeats the batch.
        prepend: Whether it goes to the front of the queue.
        auto_board: Id or name of the board for board fields that say "auto".
        batch_id: The batch's id.
        server: What the server has answered already, where several requests are made at once.
        data: Further batch data: the axes of a sweep. Images of this machine in it are uploaded.
        upload: Whether to go on after the checks; without it there is no body.

    Raises:
        UnknownNodeError: The server lacks node types.
        NotReadyError: Something is wrong; the error lists all findings. Nothing was uploaded.
        ModelNotFoundError: The server lacks models, and nothing else is wrong.
    """
    if runs < 1:
        raise UsageError(f"runs must be 1 or more, not {runs}.")
    server = server or ServerSide(connection)
    if validate and unknown_node_types(loaded, schema):
        raise_for_problems(find_problems(loaded, schema, {}), loaded, schema)
    found = _Findings()
    values, uploads = await _resolved(server, inputs, found, trust=not validate)
    if validate:
        values |= await _checked_references(server, loaded, schema, values, inputs, found, set(uploads))
        names = named_images(data)
        there = await gather_or_cancel(server.has_image(name) for name in names)
        missing = [name for name, known in zip(names, there, strict=True) if not known]
        found.others.extend(f"An axis: the server has no image {name!r}." for name in missing)
    board: str | None = None
    if auto_board not in (None, "none"):
        try:
            board = await server.board_id(auto_board, "auto_board", trust=not validate)
        except NotReadyError as error:
            found.others.extend(error.findings)
    generated = await server.generated(server_generators(loaded, values))
    if validate:
        for problem in find_problems(loaded, schema, values, generated):
            if (problem.node_id, problem.field) not in found.blamed:
                found.others.append(str(await _with_models(server, inputs, problem, values)))
    found.raise_if_any(loaded.name)
    if not upload:
        return {}
    if uploads:
        names = await gather_or_cancel(server.upload(image) for image in uploads.values())
        values = {
            key: _filled(value, dict(zip(uploads, names, strict=True))) for key, value in values.items()
        }
    rising = local_images(data)
    names = await gather_or_cancel(server.upload(image) for image in rising)
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
    body["batch"]["data"].extend(uploaded(data, dict(zip(rising, names, strict=True))))
    return body


@dataclass
class _Findings:
    """What keeps the workflow from running, in one list in the end.

    Attributes:
        models: Sentences about models that the server lacks.
        others: Sentences about everything else.
        blamed: Fields that are spoken of, so that nothing else is said of them.
    """

    models: list[str] = field(default_factory=list[str])
    others: list[str] = field(default_factory=list[str])
    blamed: set[Key] = field(default_factory=set["Key"])

    def raise_if_any(self, name: str) -> None:
        """One error for all of it.

        Raises:
            ModelNotFoundError: Models are missing, and nothing else.
            NotReadyError: Something else is wrong, too.
        """
        if self.models and not self.others:
            raise ModelNotFoundError("\n".join(self.models))
        if self.others:
            findings = [*self.models, *self.others]
            listed = "\n".join(f"- {finding}" for finding in findings)
            raise NotReadyError(f"The workflow {name!r} cannot run yet:\n{listed}", findings)


async def _resolved(
    server: ServerSide, inputs: InputSet, found: _Findings, *, trust: bool
) -> tuple[dict[Key, Any], dict[str, LocalImage]]:
    """The values that were set, in their form on the wire, and the images to upload before they are sent.

    Such an image stands in the values under a name made up for it.
    """
    values: dict[Key, Any] = {}
    uploads: dict[str, LocalImage] = {}
    for key, item in inputs.touched().items():
        pending = find_pending(item.field.value)
        if not pending:
            values[key] = item.field.to_api_format()
            continue
        answers: dict[Pending, Any] = {}
        for one in pending:
            if isinstance(one, LocalImage):
                name = next(
                    (name for name, image in uploads.items() if image == one), f"upload-{len(uploads)}"
                )
                uploads[name] = one
                answers[one] = {"image_name": name}
                continue
            try:
                answers[one] = await _answer(server, item, one, trust=trust)
            except ModelNotFoundError as error:
                found.models.append(str(error))
            except NotReadyError as error:
                found.others.extend(error.findings)
        if len(answers) < len(pending):
            found.blamed.add(key)
            continue
        answered = item.field.copy()
        answered.value = replace_pending(item.field.value, answers)
        values[key] = answered.to_api_format()
    return values, uploads


async def _answer(
    server: ServerSide, item: WorkflowInput, pending: ModelByName | BoardByName, *, trust: bool
) -> Any:
    place = f"{item.node_name}.{item.field_name}"
    if isinstance(pending, BoardByName):
        return {"board_id": await server.board_id(pending.text, place, trust=trust)}
    models = await server.models()
    fitting = [model for model in models if item.field.accepts_model(model)]
    return identifier_of(model_by_name(pending.text, fitting, place, models))


async def _checked_references(
    server: ServerSide,
    loaded: LoadedWorkflow,
    schema: Schema,
    values: Mapping[Key, Any],
    inputs: InputSet,
    found: _Findings,
    uploads: set[str],
) -> dict[Key, Any]:
    """Models under the keys of this server, for those that the workflow brought from another one.

    What the server lacks goes to ``found``.
    """
    wanted = [
        reference
        for reference in references(loaded, values, schema)
        if (reference.node_id, reference.field) not in found.blamed and _name(reference) not in uploads
    ]
    names = list(dict.fromkeys((one.kind, _name(one)) for one in wanted if one.kind != "model"))
    answers = await gather_or_cancel(_exists(server, kind, name) for kind, name in names)
    there = dict(zip(names, answers, strict=True))
    translated: dict[Key, Any] = {}
    for reference in wanted:
        key = (reference.node_id, reference.field)
        place = f"{label_of(loaded.nodes[reference.node_id], schema)}.{reference.field}"
        if reference.kind != "model":
            if not there[reference.kind, _name(reference)]:
                found.others.append(f"{place}: the server has no {reference.kind} {_name(reference)!r}.")
            continue
        models = await server.models()
        record = find_model(reference.value, models)
        if record is None:
            fitting = [model for model in models if inputs.at(key).field.accepts_model(model)]
            found.models.append(missing_model(reference.value, fitting, place))
        elif record["key"] != reference.value.get("key"):
            whole = translated[key] if key in translated else value_of(loaded.nodes[key[0]], key[1], values)
            translated[key] = with_model(whole, reference.index, identifier_of(record))
    return translated


async def _with_models(
    server: ServerSide, inputs: InputSet, problem: Problem, values: Mapping[Key, Any]
) -> Problem:
    """A problem with a model field that has no value, with the names of models that would do."""
    key = (problem.node_id, problem.field or "")
    template = inputs.template(key)
    if template is None or template.type.name != "ModelIdentifierField":
        return problem
    item = inputs.at(key)
    if item.connected or values.get(key, item.field.value) not in (None, UNSET):
        return problem
    fitting = [model for model in await server.models() if item.field.accepts_model(model)]
    hint = compatible_hint(fitting) or " The server has no model that fits; install one."
    return replace(problem, what=f"no model is set; expected {item.field.allowed}", cure=hint.strip())


def _filled(value: Any, names: Mapping[str, str]) -> Any:
    """A value in its form on the wire with the names of images that have been uploaded."""
    if isinstance(value, dict):
        record = cast("dict[str, Any]", value)
        name = record.get("image_name")
        return {**record, "image_name": names[name]} if isinstance(name, str) and name in names else record
    if isinstance(value, list):
        return [_filled(item, names) for item in cast("list[Any]", value)]
    return value


async def _exists(server: ServerSide, kind: str, name: str) -> bool:
    if kind == "image":
        return await server.has_image(name)
    if kind == "video":
        return await server.has_video(name)
    if kind == "workflow":
        return await server.has_workflow(name)
    return await server.has_board(name)


def _name(reference: Reference) -> str:
    value = reference.value
    if isinstance(value, str):
        return value
    return str(value.get(f"{reference.kind}_name") or value.get(f"{reference.kind}_id"))
