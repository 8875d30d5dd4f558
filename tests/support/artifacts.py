"""Recorded artifacts: files that a version of the package wrote, and the values it read from them.

``recorder.py`` writes such a folder, ``Artifacts`` reads it. Everything here uses public names only, so that it keeps
working when modules move.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import lzma
import pickle
import tarfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from enum import Enum
from functools import cache, cached_property
from importlib import import_module
from pathlib import Path, PurePath
from typing import Any

from invokeai_py_client import WorkflowHandle
from invokeai_py_client.errors import InvokeAIClientError
from invokeai_py_client.ivk_fields import IvkCollectionField, IvkField, IvkFloatOrListField
from invokeai_py_client.models import IvkModel

FOLDER = Path(__file__).parents[1] / "data" / "artifacts"
"""One folder for each version whose artifacts were recorded."""

SECRETS = {"token": "token-3fd1c8", "password": "password-9ab2e7", "header": "header-51c0d4"}
"""Secrets of the recorded clients, which no artifact may contain."""

_PUBLIC = (
    *("", ".errors", ".ivk_fields", ".models", ".server", ".run.events", ".run.results", ".run.status"),
    *(".board", ".dnn_model", ".queue", ".quick", ".workflow", ".workflow.workflow_handle"),
)
"""The modules that classes are imported from. Other classes may be renamed."""

_WITHOUT_NAME = {
    "CancelAllExceptCurrentResult",
    "ClearResult",
    "ConnectionSettings",
    "Credentials",
    "FieldType",
    "InputTemplate",
    "InstallCancelled",
    "InstallCompleted",
    "InstallDownloaded",
    "InstallDownloading",
    "InstallEvent",
    "InstallFailed",
    "InstallPaused",
    "InstallStarted",
    "Limits",
    "LoadedWorkflow",
    "ModelFilter",
    "NodeTemplate",
    "OutputTemplate",
    "Problem",
    "PruneResult",
    "Row",
    "Running",
    "ServerAddress",
    "TransferProgress",
    "WorkflowOutput",
}
"""Classes that became public after the artifacts were recorded."""

_RENAMED = {"Response": "Answer"}
"""The names that classes had when the artifacts were recorded."""

_LONG = 300
"""Strings longer than this are compared by their digests."""

PICKLES = "pickles.tar.xz"
EXPECTED = "expected.json.xz"


class Artifacts:
    """The artifacts in one folder.

    Attributes:
        folder: The folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @cached_property
    def expected(self) -> dict[str, Any]:
        """The recorded values: ``about``, ``pickles`` and one entry for each kind of file."""
        with lzma.open(self.folder / EXPECTED) as file:
            return json.load(file)

    @cached_property
    def pickles(self) -> dict[str, bytes]:
        """The bytes of each pickle, by name."""
        found: dict[str, bytes] = {}
        with tarfile.open(self.folder / PICKLES) as archive:
            for member in archive:
                file = archive.extractfile(member)
                assert file is not None
                found[member.name.removesuffix(".pickle")] = file.read()
        return found

    def load(self, name: str) -> Any:
        """Return a new object from a pickle."""
        return pickle.loads(self.pickles[name])

    def secrets(self) -> list[str]:
        """Return the names of files and pickles that hold a secret of the recorded clients."""
        files = [path for path in self.folder.rglob("*") if path.is_file()]
        contents = {str(path): path.read_bytes() for path in files} | self.pickles
        return [
            name
            for name, data in contents.items()
            if any(secret.encode() in data for secret in SECRETS.values())
        ]

    def path(self, name: str) -> Path:
        """Return the path of a recorded file."""
        return self.folder / name


def write(folder: Path, pickles: Mapping[str, bytes], expected: Mapping[str, Any]) -> None:
    """Write the archive of pickles and the expected values. Together the pickles compress well."""
    text = json.dumps(expected, ensure_ascii=False, indent=1)
    (folder / EXPECTED).write_bytes(lzma.compress(text.encode(), preset=9))
    with tarfile.open(folder / PICKLES, "w:xz", preset=9) as archive:
        for name, data in pickles.items():
            member = tarfile.TarInfo(f"{name}.pickle")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))


# --------------------------------------------------------------------------- facts


def facts(value: Any) -> Any:
    """Return the public attributes of an object as JSON data.

    An object becomes a dict whose ``is`` names its class, or says ``object`` if the class has no public name. Long data
    become a digest.

    Raises:
        TypeError: The object's class is not supported.
    """
    if isinstance(value, Enum):
        return f"{_name_of(type(value))}.{value.name}"
    if isinstance(value, str) and len(value) > _LONG:
        return {"characters": len(value), "sha256": hashlib.sha256(value.encode()).hexdigest()[:32]}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    kind = _RENAMED.get(type(value).__name__, type(value).__name__)
    describe = _DESCRIBED.get(kind.removeprefix("Async"))
    if describe is not None:
        return {"is": kind, **{name: facts(one) for name, one in describe(value).items()}}
    return _facts_of_kind(value)


def _facts_of_kind(value: Any) -> Any:
    if isinstance(value, bytes):
        return {"bytes": len(value), "sha256": hashlib.sha256(value).hexdigest()[:32]}
    if isinstance(value, datetime):
        return {"datetime": value.isoformat()}
    if isinstance(value, PurePath):
        return {"path": value.as_posix()}
    if isinstance(value, BaseException):
        return _facts_of_error(value)
    if isinstance(value, IvkField):
        return _facts_of_field(value)
    if isinstance(value, IvkModel):
        # The stored values: reading the metadata of a listed image would load it from the server.
        stored = {name: vars(value).get(name) for name in type(value).model_fields} | (
            value.model_extra or {}
        )
        return {"is": _name_of(type(value)), **{name: facts(one) for name, one in stored.items()}}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _facts_of_dataclass(value)
    if isinstance(value, Mapping):
        name, record = _name_of(type(value)), {str(key): facts(one) for key, one in value.items()}
        return record if name == "object" else {"is": name, **record}
    if isinstance(value, set | frozenset):
        return sorted((facts(one) for one in value), key=str)
    if isinstance(value, tuple):
        return {"tuple": [facts(one) for one in value]}
    if isinstance(value, Sequence):
        return [facts(one) for one in value]
    raise TypeError(f"No facts are known of {type(value).__name__}.")


@cache
def _name_of(kind: type[Any]) -> str:
    """Return the public name of a class, or ``object``."""
    if kind.__name__ in _WITHOUT_NAME:
        return "object"
    for module in _PUBLIC:
        names = import_module(f"invokeai_py_client{module}")
        if getattr(names, kind.__name__, None) is kind:
            return kind.__name__
    return "object"


def digest(value: Any) -> str:
    """Return a digest of JSON data."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def request_facts(handle: WorkflowHandle) -> dict[str, Any]:
    """Return the request a handle would send, without the values that differ each time."""
    batch = handle.enqueue_request(validate=False)["batch"]
    graph = batch["graph"]
    return {"nodes": graph["nodes"], "edges": digest(graph["edges"]), "workflow": digest(batch["workflow"])}


def differences(expected: Any, found: Any, where: str = "") -> list[str]:
    """Return the differences between facts. Attributes that the expected object lacks are ignored."""
    if isinstance(expected, dict) and isinstance(found, dict):
        keys = list(expected) if "is" in expected else sorted({*expected, *found})
        return [
            line
            for key in keys
            for line in (
                differences(expected[key], found[key], f"{where}.{key}")
                if key in expected and key in found
                else [f"{where}.{key}: {'missing' if key in expected else 'unexpected'}"]
            )
        ]
    if isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        return [
            line
            for index, (one, other) in enumerate(zip(expected, found, strict=True))
            for line in differences(one, other, f"{where}[{index}]")
        ]
    if type(expected) is type(found) and expected == found:
        return []
    return [f"{where}: expected {expected!r:.200}, found {found!r:.200}"]


def _facts_of_dataclass(value: Any) -> dict[str, Any]:
    name = _name_of(type(value))
    found = {"is": name}
    for field in dataclasses.fields(value):
        attribute = getattr(value, field.name)
        # Those of other classes go into digests, which a new attribute with a default must not change.
        if name != "object" or not _is_default(field, attribute):
            found[field.name] = facts(attribute)
    return found


def _is_default(field: dataclasses.Field[Any], attribute: Any) -> bool:
    if field.default_factory is not dataclasses.MISSING:
        return bool(attribute == field.default_factory())
    return field.default is not dataclasses.MISSING and bool(attribute == field.default)


def _facts_of_error(error: BaseException) -> dict[str, Any]:
    known = {name: facts(one) for name, one in vars(error).items()}
    kinds = {"is": "kinds", **{kind.__name__: True for kind in type(error).__mro__ if kind is not object}}
    code = error.code if isinstance(error, InvokeAIClientError) else None
    return {"is": type(error).__name__, "text": str(error), "code": code, "kinds": kinds, **known}


def _facts_of_field(field: IvkField[Any]) -> dict[str, Any]:
    names = (
        *("label", "node_label", "type_name", "type_text", "value", "display_value", "reusable_value"),
        *("is_set_by_user", "required"),
    )
    found = {name: facts(getattr(field, name)) for name in names}
    found["on_the_wire"] = _unless_refused(field.to_api_format)
    rules = {
        name: facts(getattr(field, name, None))
        for name in ("is_list", "default", "choices", "choice_labels", "limits", "minimum", "maximum")
    }
    kind = type(field)
    if isinstance(field, IvkFloatOrListField):  # added later; before, these fields had no limits of their own
        kind, rules["minimum"], rules["maximum"] = IvkCollectionField, facts(None), facts(None)
    found["rules"] = digest([*rules.values(), bool(field.refusal)])
    return {"is": _name_of(kind), **found}


def _unless_refused(read: Callable[[], Any]) -> Any:
    """Return the facts of a value, or the name of the error that reading it raises."""
    try:
        return facts(read())
    except InvokeAIClientError as error:
        return {"raises": type(error).__name__}


# --------------------------------------------------------------------------- objects of a client


def _client(client: Any) -> dict[str, Any]:
    names = ("timeout", "connect_timeout", "max_retries", "verify_ssl", "token", "headers", "credentials")
    return {"url": client.url, **{name: getattr(client.settings, name) for name in names}}


def _run(run: Any) -> dict[str, Any]:
    names = ("item_id", "batch_id", "queue_id", "inputs", "done", "status", "seconds")
    return {
        **{name: getattr(run, name) for name in names},
        "images": _unless_refused(lambda: [image.name for image in run.images]),
        "outputs": _unless_refused(lambda: run.outputs),
        "item": _unless_refused(lambda: digest(facts(run.item))),
    }


def _sweep(sweep: Any) -> dict[str, Any]:
    names = ("name", "axes", "queue_id", "done")
    return {
        **{name: getattr(sweep, name) for name in names},
        "length": len(sweep),
        "runs": {sweep.index(run): run for run in sweep.runs},
        "failed": [sweep.index(run) for run in sweep.failed],
        "values": [sweep.values(index) for index in range(len(sweep))],
        "records": sweep.to_records(),
    }


def _plan(plan: Any) -> dict[str, Any]:
    return {"axes": plan.axes, "count": plan.count, "points": list(plan.points())}


def _handle(handle: Any) -> dict[str, Any]:
    names = ("name", "definition", "warnings", "node_count", "session_id", "inputs")
    return {
        **{name: getattr(handle, name) for name in names},
        "outputs": handle.list_outputs(),
        "index_map": handle.export_input_index_map(),
    }


def _inputs(inputs: Any) -> dict[str, Any]:
    touched = inputs.touched()
    return {
        "form": list(inputs),
        "touched": {".".join(key): touched[key] for key in touched if touched[key].input_index is None},
        "everything": digest([facts(item) for item in inputs.everything()]),
        "snapshot": inputs.snapshot(),
    }


def _input(item: Any) -> dict[str, Any]:
    names = ("input_index", "label", "field_name", "node_name", "node_id", "connected", "jsonpath", "field")
    return {name: getattr(item, name) for name in names}


def _definition(definition: Any) -> dict[str, Any]:
    names = ("name", "id", "source", "format_version", "node_count", "edge_count")
    found = {name: getattr(definition, name) for name in names}
    return {**found, "document": digest(definition.to_dict())}


def _schema(schema: Any) -> dict[str, Any]:
    nodes = {kind: facts(schema[kind]) for kind in schema}
    return {
        "version": schema.version,
        "kinds": len(nodes),
        "nodes": digest(nodes),
        "add": digest(nodes["add"]),
    }


def _attributes(*names: str) -> Callable[[Any], dict[str, Any]]:
    return lambda value: {name: getattr(value, name) for name in names}


_DESCRIBED: dict[str, Callable[[Any], dict[str, Any]]] = {
    "Answer": _attributes("status_code", "ok", "content", "content_type", "text"),
    "BoardHandle": _attributes("board_id", "board_name", "is_uncategorized", "board"),
    "BoardRepository": _attributes(),
    "DnnModelRepository": _attributes(),
    "Image": _attributes("name", "url"),
    "ImageRepository": lambda images: {"image": images.image("picture.png")},
    "InputSet": _inputs,
    "InvokeAIClient": _client,
    "JobHandle": _attributes("queue_id", "item_id", "item"),
    "ModelInstJobHandle": _attributes("job_id", "info"),
    "QueueHandle": _attributes("queue_id"),
    "QueueRepository": lambda queues: {"queue": queues.get_queue("another")},
    "QuickClient": _attributes(),
    "Run": _run,
    "Schema": _schema,
    "Sweep": _sweep,
    "SweepPlan": _plan,
    "WorkflowDefinition": _definition,
    "WorkflowHandle": _handle,
    "WorkflowInput": _input,
    "WorkflowNode": lambda node: {"id": node.id, "document": digest(node.model_dump())},
    "WorkflowRepository": _attributes(),
    "WorkflowRoot": lambda root: {"document": digest(root.model_dump())},
}


def folders() -> Iterator[Path]:
    """Go through the recorded folders, the oldest version first."""
    yield from sorted(path.parent for path in FOLDER.glob(f"*/{EXPECTED}"))
