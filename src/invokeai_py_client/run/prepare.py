"""Build an enqueue request from a workflow, its values and a server.

The steps, in order:

1. Look up what only the server knows: the keys of models, the ids of boards, generated prompts.
2. Check everything.
3. Upload images, once nothing prevents the run.
4. Build the request body.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar, cast

from invokeai_py_client._aio import gather_or_cancel
from invokeai_py_client._text import node_place
from invokeai_py_client.engine.batch import local_images, named_images, server_generators, uploaded
from invokeai_py_client.engine.models import (
    compatible_hint,
    find_model,
    identifier_of,
    missing_model,
    model_by_name,
    whole_value,
    with_model,
)
from invokeai_py_client.engine.readiness import (
    Problem,
    find_problems,
    raise_for_problems,
    unknown_node_types,
)
from invokeai_py_client.engine.references import Reference, references
from invokeai_py_client.engine.request import build_request
from invokeai_py_client.errors import ModelNotFoundError, NotReadyError, UsageError
from invokeai_py_client.ivk_fields import IvkSavedWorkflowField
from invokeai_py_client.ivk_fields.pending import (
    BoardByName,
    ByName,
    LocalImage,
    Pending,
    StylePresetByName,
    SystemPromptByName,
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

# The name of a local image in a request that is not sent.
_PLACEHOLDER = "(a local image)"

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
    placeholders: bool = False,
) -> dict[str, Any]:
    """Return the body of an enqueue request.

    Args:
        connection: The server.
        loaded: The workflow.
        schema: The server's node types.
        inputs: The workflow's inputs with the values to use.
        validate: Whether to check the workflow and that everything it refers to exists on the server. If False, the
            only lookups are those needed for the values that were set and for generators that run on the server.
            Defaults to True.
        runs: How often the server repeats the batch. Defaults to 1.
        prepend: Whether to put the batch at the front of the queue. Defaults to False.
        auto_board: The id or name of the board for board fields set to "auto". Defaults to None: no board.
        batch_id: The batch's id. Defaults to a new one.
        server: The lookups to share if several requests are built together. Defaults to new ones.
        data: More batch data: the axes of a sweep. Local images in it are uploaded.
        upload: Whether to upload images and build the body. If False, stop after the checks and return an empty
            dict. Defaults to True.
        placeholders: Whether to build the body even if ``upload`` is False, with placeholders in place of the names of
            uploaded images. Defaults to False.

    Raises:
        UsageError: ``runs`` is less than 1.
        UnknownNodeError: The workflow uses node types that the server does not have.
        NotReadyError: The workflow cannot run. The error lists all problems. Nothing was uploaded.
        ModelNotFoundError: The server lacks models, and nothing else is wrong.
    """
    if runs < 1:
        raise UsageError(f"Invalid runs {runs}: expected 1 or more.")
    server = server or ServerSide(connection)
    if validate and unknown_node_types(loaded, schema):
        raise_for_problems(find_problems(loaded, schema, {}), loaded, schema)
    found = _Findings()
    values, uploads = await _resolved(server, inputs, found, trust=not validate)
    loaded, values = inputs.apply_seeds(values)
    if validate:
        values |= await _checked_references(server, loaded, schema, values, inputs, found, set(uploads))
        names = named_images(data)
        there = await gather_or_cancel(server.has_image(name) for name in names)
        missing = [name for name, known in zip(names, there, strict=True) if not known]
        found.others.extend(f"Sweep axis: no image named {name!r} on the server." for name in missing)
        problems = await _unreadable(server, inputs, data)
        found.others.extend(problem for problem in problems if problem not in found.others)
    board: str | None = None
    if auto_board not in (None, "none"):
        try:
            board = await server.board_id(auto_board, "Board", trust=not validate)
        except NotReadyError as error:
            found.others.extend(error.findings)
    generated: dict[str, list[Any]] = {}
    try:
        generated = await server.generated(server_generators(loaded, values), _node_places(inputs))
    except NotReadyError as error:
        if not validate:
            raise
        found.others.extend(error.findings)
    if validate:
        for problem in find_problems(loaded, schema, values, generated):
            if (problem.node_id, problem.field) not in found.blamed:
                found.others.append(str(await _with_models(server, inputs, problem, values)))
    found.raise_if_any(loaded.name)
    if not upload and not placeholders:
        return {}
    if uploads and upload:
        names = await gather_or_cancel(server.upload(image) for image in uploads.values())
        values = {
            key: _filled(value, dict(zip(uploads, names, strict=True))) for key, value in values.items()
        }
    rising = local_images(data)
    names = [_PLACEHOLDER] * len(rising)
    if upload:
        names = await gather_or_cancel(server.upload(image) for image in rising)
    server.note_changes()
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


def _node_places(inputs: InputSet) -> dict[str, str]:
    """Return the names of the nodes in messages, by their ids."""
    labels = inputs.node_labels()
    return {node_id: node_place(node_id, labels) for node_id in labels}


@dataclass
class _Findings:
    """Collected problems that keep the workflow from running.

    Attributes:
        models: Messages about models that the server lacks.
        others: All other messages.
        blamed: Fields that already have a message, so that they don't get another.
    """

    models: list[str] = field(default_factory=list[str])
    others: list[str] = field(default_factory=list[str])
    blamed: set[Key] = field(default_factory=set["Key"])

    def raise_if_any(self, name: str) -> None:
        """Raise one error that lists all problems, if there are any.

        Raises:
            ModelNotFoundError: The only problems are missing models.
            NotReadyError: There are other problems.
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
    """Return the values that were set, in API format, and the images to upload before sending them.

    The values contain a placeholder name for each image, which is its key in the second mapping.
    """
    values: dict[Key, Any] = {}
    uploads: dict[str, LocalImage] = {}
    for key, item in inputs.touched().items():
        pending = find_pending(item.field.value)
        if not pending:
            values[key] = item.field.to_api_format()
            if isinstance(item.field, IvkSavedWorkflowField) and isinstance(values[key], str) and values[key]:
                try:
                    values[key] = await server.workflow_id(values[key])
                except UsageError as error:
                    found.others.append(f"{item.label} ({item.node_name}): {error}")
                    found.blamed.add(key)
            continue
        resolved: dict[Pending, Any] = {}
        for value in pending:
            if isinstance(value, LocalImage):
                name = next(
                    (name for name, image in uploads.items() if image == value), f"upload-{len(uploads)}"
                )
                uploads[name] = value
                resolved[value] = {"image_name": name}
                if not trust and (problem := await server.image_problem(value)):
                    found.others.append(f"{item.label} ({item.node_name}): {problem}")
                continue
            try:
                resolved[value] = await _resolve(server, item, value, trust=trust)
            except ModelNotFoundError as error:
                found.models.append(str(error))
            except NotReadyError as error:
                found.others.extend(error.findings)
        if len(resolved) < len(pending):
            found.blamed.add(key)
            continue
        complete = item.field.copy()
        complete.value = replace_pending(item.field.value, resolved)
        values[key] = complete.to_api_format()
    return values, uploads


async def _unreadable(server: ServerSide, inputs: InputSet, data: Sequence[Any]) -> list[str]:
    """Return the problems of local images in the axes of a sweep."""
    problems: list[str] = []
    for datum in [datum for group in data for datum in group]:
        images = local_images([datum])
        found = await gather_or_cancel(server.image_problem(image) for image in images)
        item = inputs.at((datum["node_path"], datum["field_name"]))
        problems += [f"{item.label} ({item.node_name}): {problem}" for problem in found if problem]
    return list(dict.fromkeys(problems))


async def _resolve(server: ServerSide, item: WorkflowInput, pending: ByName, *, trust: bool) -> Any:
    place = item.field.place
    if isinstance(pending, BoardByName):
        return {"board_id": await server.board_id(pending.text, place, trust=trust)}
    if isinstance(pending, StylePresetByName):
        return {"style_preset_id": await server.style_preset_id(pending.text, place, trust=trust)}
    if isinstance(pending, SystemPromptByName):
        return {"system_prompt_id": await server.system_prompt_id(pending.text, place, trust=trust)}
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
    """Translate model references from another server into keys of this server.

    References that do not exist on the server are added to ``found``.
    """
    wanted = [
        reference
        for reference in references(loaded, values, schema)
        if (reference.node_id, reference.field) not in found.blamed and _name(reference) not in uploads
    ]
    names = list(
        dict.fromkeys((reference.kind, _name(reference)) for reference in wanted if reference.kind != "model")
    )
    known = await gather_or_cancel(_exists(server, kind, name) for kind, name in names)
    exists = dict(zip(names, known, strict=True))
    translated: dict[Key, Any] = {}
    for reference in wanted:
        key = (reference.node_id, reference.field)
        place = inputs.place_of(key)
        if reference.kind == "workflow":
            if not exists["workflow", _name(reference)]:
                found.others.append(
                    f"{place}: this node calls the workflow {_name(reference)!r}, which is not in the server's library."
                    f" Choose another workflow in the editor, or set {inputs.name_of(inputs.at(key))!r} to an id."
                )
            continue
        if reference.kind != "model":
            if not exists[reference.kind, _name(reference)]:
                found.others.append(f"{place}: {_unknown(reference)}")
            continue
        models = await server.models()
        record = find_model(reference.value, models)
        if record is None:
            fitting = [model for model in models if inputs.at(key).field.accepts_model(model)]
            found.models.append(missing_model(reference.value, fitting, place))
            found.blamed.add(key)
        elif record["key"] != reference.value.get("key"):
            whole = translated[key] if key in translated else whole_value(loaded, reference, values)
            translated[key] = with_model(whole, reference.index, identifier_of(record))
    return translated


async def _with_models(
    server: ServerSide, inputs: InputSet, problem: Problem, values: Mapping[Key, Any]
) -> Problem:
    """Add the names of compatible models to a problem with a model field that has no value."""
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
    """Replace the placeholder names in an API value with the names of the uploaded images."""
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
    if kind == "style_preset":
        return await server.has_style_preset(name)
    if kind == "system_prompt":
        return await server.has_system_prompt(name)
    return await server.has_board(name)


def _unknown(reference: Reference) -> str:
    """Return a sentence about a reference to something that is not on the server."""
    kind, name = reference.kind.replace("_", " "), _name(reference)
    if reference.kind not in ("style_preset", "system_prompt"):
        return f"no {kind} named {name!r} on the server."
    # Every installation has other ids, and presets that come with the server get new ones whenever it starts.
    return f"no {kind} with id {name!r} on the server. Set the name of a {kind} instead."


def _name(reference: Reference) -> str:
    value = reference.value
    if isinstance(value, str):
        return value
    return str(value.get(f"{reference.kind}_name") or value.get(f"{reference.kind}_id"))
