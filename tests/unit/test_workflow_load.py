"""Loading beyond the recorded cases: edges, older formats, node versions, errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from workflows import workflow

from invokeai_py_client.engine.definition import WorkflowDefinition
from invokeai_py_client.engine.load import load_workflow
from invokeai_py_client.engine.readiness import find_problems
from invokeai_py_client.engine.subworkflow import PREFIX
from invokeai_py_client.engine.workflow import LoadedWorkflow
from invokeai_py_client.errors import WorkflowFormatError
from invokeai_py_client.schema.reference import reference_schema
from invokeai_py_client.schema.template import UNSET

SCHEMA = reference_schema()
Nodes = Mapping[str, tuple[str, Mapping[str, Any]]]


def load(
    document: Mapping[str, Any], callees: Mapping[str, WorkflowDefinition] | None = None
) -> LoadedWorkflow:
    return load_workflow(WorkflowDefinition.from_dict(document), SCHEMA, callees)


NODES: Nodes = {
    "int": ("integer", {"value": 1}),
    "int2": ("integer", {"value": 1}),
    "float": ("float", {"value": 1}),
    "text": ("string", {"value": ""}),
    "truth": ("boolean", {"value": True}),
    "ints": ("integer_collection", {}),
    "texts": ("string_collection", {}),
    "collect": ("collect", {}),
    "iterate": ("iterate", {}),
    "if": ("if", {}),
    "add": ("add", {"a": 1}),
    "div": ("div", {"a": 1}),
    "join": ("string_join", {}),
    "noise": ("noise", {}),
    "batch": ("integer_batch", {"integers": [1]}),
    "generator": ("integer_generator", {}),
    "denoise": ("denoise_latents", {}),
    "gone": ("no_such_node", {"a": 1}),
}


@pytest.mark.parametrize(
    ("edges", "kept"),
    [
        (["int.value -> add.a"], 1),
        (["int.value -> float.value"], 1),
        (["int.value -> text.value"], 1),
        (["float.value -> text.value"], 1),
        (["float.value -> add.a"], 0),
        (["text.value -> add.a"], 0),
        (["text.value -> denoise.scheduler"], 0),
        (["float.value -> denoise.cfg_scale"], 1),
        (["ints.collection -> add.a"], 0),
        (["int.value -> add.a", "int2.value -> add.a"], 1),
        (["int.value -> add.a", "int.value -> add.a"], 1),
        (["int.value -> add.a", "int.value -> add.b"], 2),
        (["add.value -> add.a"], 0),
        (["int.nothing -> add.a"], 0),
        (["int.value -> add.nothing"], 0),
        (["int.value -> nowhere.a"], 0),
        (["nowhere.value -> add.a"], 0),
        (["gone.value -> add.a"], 0),
        (["int.value -> gone.a"], 0),
        (["generator.integers -> batch.integers"], 1),
        (["ints.collection -> batch.integers"], 0),
        (["generator.integers -> ints.collection"], 0),
        (["int.value -> batch.batch_group_id"], 0),
        (["text.value -> batch.batch_group_id"], 0),
        (["add.value -> div.a", "div.value -> add.a"], 1),
        (["add.value -> div.a", "div.value -> int.value", "int.value -> add.a", "int2.value -> add.b"], 3),
        (["int.value -> collect.item", "int2.value -> collect.item"], 2),
        (["int.value -> collect.item", "int.value -> collect.item"], 1),
        (["int.value -> collect.item", "text.value -> collect.item"], 1),
        (["ints.collection -> collect.collection", "text.value -> collect.item"], 1),
        (["int.value -> if.true_input", "int2.value -> if.false_input"], 2),
        (["int.value -> if.true_input", "noise.noise -> if.false_input"], 1),
        (["int.value -> if.true_input", "ints.collection -> if.false_input"], 2),
        (["int.value -> if.true_input", "if.value -> add.a"], 2),
        (["text.value -> if.true_input", "if.value -> add.a"], 1),
        (["ints.collection -> iterate.collection", "iterate.item -> add.a"], 2),
    ],
)
def test_edges(edges: list[str], kept: int) -> None:
    flow = load(workflow("w", NODES, edges))
    assert len(flow.edges) == kept
    assert len([warning for warning in flow.warnings if "The connection" in warning]) == len(edges) - kept
    assert flow.document is not None
    assert len(flow.document["edges"]) == kept


def test_direct_input_accepts_no_connection() -> None:
    nodes: Nodes = {"any": ("model_identifier", {}), "loader": ("cogview4_model_loader", {})}
    flow = load(workflow("w", nodes, ["any.model -> loader.model"]))
    assert flow.edges == ()
    assert "accepts a value, but not a connection" in flow.warnings[0]


@pytest.mark.parametrize(
    ("edges", "node", "field"),
    [
        (["texts.collection -> iterate.collection", "iterate.item -> add.a"], "iterate", "item"),
        (["text.value -> collect.item", "collect.collection -> ints.collection"], "collect", "collection"),
        ([], "collect", "item"),
        ([], "iterate", "collection"),
    ],
)
def test_item_types_of_iterate_and_collect_are_checked(edges: list[str], node: str, field: str) -> None:
    flow = load(workflow("w", NODES, edges))
    assert len(flow.edges) == len(edges)
    assert (node, field) in [(p.node_id, p.field) for p in find_problems(flow, SCHEMA, {})]


def old(version: str, inputs: Mapping[str, tuple[Any, Any]]) -> dict[str, Any]:
    """Return a document in an old format with one node. Inputs are (type, value)."""
    document = workflow("w", {"n": ("custom", {})}, [])
    document["meta"] = {"version": version}
    del document["form"]
    data = document["nodes"][0]["data"]
    data["outputs"] = {}
    data["embedWorkflow"] = False
    data["inputs"] = {
        name: {"id": name, "name": name, "fieldKind": "input", "label": "L", "type": kind, "value": value}
        for name, (kind, value) in inputs.items()
    }
    return document


def named(name: str) -> dict[str, Any]:
    return {"name": name, "isCollection": False, "isCollectionOrScalar": False}


@pytest.mark.parametrize("version", ["1.0.0", "2.0.0"])
def test_old_formats_keep_values_of_editable_fields(version: str) -> None:
    first = version == "1.0.0"
    cases: dict[str, tuple[str, str, Any, bool]] = {
        "int": ("integer", "IntegerField", 3, True),
        "fraction": ("integer", "IntegerField", 3.5, False),
        "float": ("float", "FloatField", 3.5, True),
        "text": ("string", "StringField", "x", True),
        "choice": ("enum", "EnumField", "x", True),
        "scheduler": ("Scheduler", "SchedulerField", "euler", True),
        "truth": ("boolean", "BooleanField", False, True),
        "image": ("ImageField", "ImageField", {"image_name": "a.png"}, True),
        "ints": ("IntegerCollection", "IntegerField", [1, 2], False),
        "images": ("ImageCollection", "ImageField", [{"image_name": "a.png"}], False),
        "latents": ("LatentsField", "LatentsField", {"latents_name": "l"}, False),
        "null": ("string", "StringField", None, False),
    }
    document = old(
        version, {name: (v1 if first else named(v2), value) for name, (v1, v2, value, _) in cases.items()}
    )
    flow = load(document)
    values = {name: entry.value for name, entry in flow.nodes["n"].inputs.items()}
    assert values == {name: value if kept else UNSET for name, (_, _, value, kept) in cases.items()}
    assert flow.document is not None
    assert flow.document["meta"] == {"category": "user", "version": "4.0.0"}
    assert flow.nodes["n"].inputs["int"].label == "L"


def test_format_1_has_few_required_keys() -> None:
    document = old("1.0.0", {})
    for key in ("name", "author", "notes", "exposedFields"):
        del document[key]
    data = document["nodes"][0]["data"]
    for key in ("version", "useCache", "nodePack"):
        del data[key]
    flow = load(document)
    assert (flow.name, flow.nodes["n"].version, flow.nodes["n"].use_cache) == ("", "1.0.0", True)


def test_image_collection_moves_its_images() -> None:
    images = [{"image_name": "a.png"}]
    document = workflow(
        "w",
        {"n": ("image_collection", {"collection": images})},
        [],
        [("n", "collection")],
        versions={"image_collection": "1.0.1"},
    )
    flow = load(document)
    assert flow.nodes["n"].inputs["images"].value == images
    assert flow.nodes["n"].inputs["collection"].value == []
    assert [(field.node_id, field.field_name) for field in flow.form] == [("n", "images")]


def test_callee_value_is_used_after_a_type_change() -> None:
    name = f"{PREFIX}s::value"
    document = workflow("w", {"c": ("call_saved_workflow", {"workflow_id": "id", name: 5})}, [])
    template = {
        "name": name,
        "title": "V",
        "fieldKind": "input",
        "input": "any",
        "required": False,
        "ui_hidden": False,
    }
    kind = {"name": "IntegerField", "cardinality": "SINGLE", "batch": False}
    document["nodes"][0]["data"]["dynamicInputTemplates"] = {name: {**template, "type": kind}}
    callee = WorkflowDefinition.from_dict(
        workflow("callee", {"s": ("string", {"value": "x"})}, [], [("s", "value")])
    )
    assert load(document).nodes["c"].inputs[name].value == 5
    assert load(document, {"id": callee}).nodes["c"].inputs[name].value == "x"


def change(*path: Any, value: Any = UNSET) -> dict[str, Any]:
    document = workflow("w", {"n": ("add", {"a": 1}), "m": ("add", {})}, ["n.value -> m.a"], [("n", "a")])
    place: Any = document
    for key in path[:-1]:
        place = place[key]
    if value is UNSET:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return document


DATA = ("nodes", 0, "data")


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (change("notes"), "'notes'"),
        (change("author", value=3), "'author'"),
        (change("meta", "version"), "meta.version"),
        (change("meta", "version", value="3.1.0"), "3.1.0"),
        (change("meta", "category", value="project"), "project"),
        (change("id", value=""), "id"),
        (change("nodes", 0, "id", value="  "), "node 1"),
        (change("nodes", 0, "type", value="group"), "'group'"),
        (change("nodes", 0, "type", value="current_image"), "current image"),
        (change("nodes", 0, "position", value={"x": 1}), "position"),
        (change(*DATA, "version"), "version"),
        (change(*DATA, "version", value="1.0.1-rc1"), "1.0.1-rc1"),
        (change(*DATA, "useCache"), "'useCache'"),
        (change(*DATA, "label"), "'label'"),
        (change(*DATA, "nodePack", value=""), "nodePack"),
        (change(*DATA, "inputs", value=[]), "inputs"),
        (change(*DATA, "inputs", "a", "name"), "'name'"),
        (change(*DATA, "inputs", "a", value=3), "input 'a'"),
        (change("edges", 0, "type"), "edge 1"),
        (change("edges", 0, "sourceHandle", value=""), "sourceHandle"),
        (change("edges", 0, "hidden", value="no"), "hidden"),
        (change("exposedFields", value=[{"nodeId": "n"}]), "fieldName"),
        (change("form", "rootElementId", value="other"), "root"),
        (change("form", "elements", "root", "data", "children", value=[]), "no container lists"),
        (change("form", "elements", "root", "data", "children", value=["node-field-0", "x"]), "'x'"),
        (change("form", "elements", "node-field-0", "parentId"), "does not list"),
    ],
)
def test_errors_name_the_location(document: dict[str, Any], said: str) -> None:
    with pytest.raises(WorkflowFormatError) as caught:
        load(document)
    assert said in str(caught.value)


def container(element_id: str, parent: str | None, *children: str) -> dict[str, Any]:
    data = {"layout": "column", "children": list(children)}
    element: dict[str, Any] = {"id": element_id, "type": "container", "data": data}
    return element if parent is None else {**element, "parentId": parent}


@pytest.mark.parametrize(
    "elements",
    [
        [container("root", None, "a"), container("a", "root", "b"), container("b", "a", "a")],
        [container("root", None, "root")],
        [
            container("root", None, "c0", "c0"),
            *(container(f"c{i}", f"c{i - 1}" if i else "root", f"c{i + 1}", f"c{i + 1}") for i in range(40)),
            container("c40", "c39"),
        ],
    ],
    ids=["circle", "root in itself", "endless"],
)
def test_endless_forms_are_rejected(elements: list[dict[str, Any]]) -> None:
    form = {"rootElementId": "root", "elements": {element["id"]: element for element in elements}}
    with pytest.raises(WorkflowFormatError):
        load(change("form", value=form))


def test_deeply_nested_form() -> None:
    chain = [container("root", None, "c0")]
    chain += [container(f"c{i}", f"c{i - 1}" if i else "root", f"c{i + 1}") for i in range(3000)]
    chain.append(container("c3000", "c2999"))
    assert (
        load(change("form", value={"rootElementId": "root", "elements": {e["id"]: e for e in chain}})).form
        == ()
    )
