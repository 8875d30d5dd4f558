"""Requests recorded from the official editor of InvokeAI 6.14.2, and their comparison with ours."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from invokeai_py_client.engine.definition import WorkflowDefinition
from invokeai_py_client.engine.load import load_workflow
from invokeai_py_client.engine.references import references
from invokeai_py_client.engine.request import build_request
from invokeai_py_client.engine.workflow import Key, LoadedWorkflow
from invokeai_py_client.schema.reference import reference_schema
from invokeai_py_client.schema.template import UNSET

FOLDER = Path(__file__).parents[1] / "data" / "goldens"
CASES = sorted(path.name.removesuffix(".json.gz") for path in FOLDER.glob("*.json.gz"))

# Resources that the recorded workflows name but the recording server lacked. The editor asks the server and
# drops them; building a request does not ask.
GONE = frozenset({"gone.png", "no-such-board", "gone-board", "gone"})


@dataclass(frozen=True)
class Golden:
    """One recorded case.

    Attributes:
        workflow: The file that was loaded.
        meta: Details from the editor and the server.
        posted: The request, if one was sent.
        item: The finished queue item, if it ran.
    """

    name: str
    workflow: Mapping[str, Any]
    meta: Mapping[str, Any]
    posted: Mapping[str, Any] | None
    item: Any

    @property
    def settings(self) -> Mapping[str, Any]:
        return self.meta.get("settings") or {}

    def load(self) -> LoadedWorkflow:
        return load_workflow(WorkflowDefinition.from_dict(self.workflow), reference_schema())

    def gone(self, loaded: LoadedWorkflow) -> dict[Key, Any]:
        """The values that the editor dropped because they name resources the server lacked.

        It does not check style presets and system prompts.
        """
        return {
            (ref.node_id, ref.field): UNSET
            for ref in references(loaded, {})
            if ref.index is None
            and ref.kind not in ("style_preset", "system_prompt")
            and not isinstance(ref.value, str)
            and GONE & set(ref.value.values())
        }

    def build(
        self, loaded: LoadedWorkflow, generated: Mapping[str, list[Any]] | None = None
    ) -> dict[str, Any]:
        """Return our request for the same settings."""
        board = self.settings.get("auto_add")
        return build_request(
            loaded,
            reference_schema(),
            self.gone(loaded),
            runs=self.settings.get("iterations", 1),
            prepend=self.settings.get("prepend", False),
            auto_board=None if board == "none" else board,
            generated=generated,
        )


@cache
def golden(name: str) -> Golden:
    case = json.loads(gzip.decompress((FOLDER / f"{name}.json.gz").read_bytes()))
    return Golden(name, case["workflow"], case["meta"], case.get("enqueue"), case.get("item"))


def normalised(request: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy without random ids (graph, batch, form elements) and with ordered edges."""
    copy: dict[str, Any] = json.loads(json.dumps(request))
    batch = copy["batch"]
    batch.pop("batch_id", None)
    del batch["graph"]["id"]
    batch["graph"]["edges"].sort(key=_text)
    if batch["workflow"] is not None:
        batch["workflow"]["form"] = _renamed(batch["workflow"]["form"])
    return copy


def _text(edge: Any) -> str:
    return json.dumps(edge, sort_keys=True)


def _renamed(form: dict[str, Any]) -> dict[str, Any]:
    """Return the form with its elements named by their position."""
    names: dict[str, str] = {}
    stack = [form["rootElementId"]]
    while stack:
        element_id = stack.pop()
        if element_id in names:
            continue
        names[element_id] = f"element {len(names)}"
        stack.extend(reversed((form["elements"][element_id].get("data") or {}).get("children", [])))
    elements: dict[str, Any] = {}
    for key, known in form["elements"].items():
        element: dict[str, Any] = {**known, "id": names[known["id"]]}
        if "parentId" in element:
            element["parentId"] = names[element["parentId"]]
        if element["type"] == "container":
            children = [names[child] for child in element["data"]["children"]]
            element["data"] = {**element["data"], "children": children}
        elements[names[key]] = element
    return {"elements": elements, "rootElementId": names[form["rootElementId"]]}


def differences(theirs: Any, ours: Any, path: str = "") -> Iterator[str]:
    """Yield every difference between two documents. Numbers compare as numbers; true does not equal 1."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        for key in sorted(theirs.keys() | ours.keys()):
            here = f"{path}/{key}"
            if key not in ours:
                yield f"{here}: missing, the editor sends {json.dumps(theirs[key])[:200]}"
            elif key not in theirs:
                yield f"{here}: extra, {json.dumps(ours[key])[:200]}"
            else:
                yield from differences(theirs[key], ours[key], here)
    elif isinstance(theirs, list) and isinstance(ours, list) and len(theirs) == len(ours):
        for index, pair in enumerate(zip(theirs, ours, strict=True)):
            yield from differences(*pair, f"{path}/{index}")
    elif isinstance(theirs, bool) != isinstance(ours, bool) or theirs != ours:
        yield f"{path}: the editor sends {json.dumps(theirs)[:200]}, we {json.dumps(ours)[:200]}"
