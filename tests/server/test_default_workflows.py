"""The server's 26 own workflows: loading, inputs, requests, and the server's responses to them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from default_workflows import (
    FACTS,
    GONE,
    INVOKABLE,
    OTHER_MAJOR,
    RECORDED,
    editor_input,
    expected_graph_nodes,
    form_settings,
    limits_of,
    models_that_fit,
    type_of,
)
from digests import request_digests
from golden import differences, normalised
from stand_ins import stand_in_models

from invokeai_py_client import InvokeAIClient
from invokeai_py_client.errors import NotReadyError, UnknownNodeError
from invokeai_py_client.models.enums import JobStatus
from invokeai_py_client.schema.template import Limits
from invokeai_py_client.server.health import request

if TYPE_CHECKING:
    from tests.conftest import RealServer

ALL = sorted(FACTS)


@pytest.fixture(scope="module")
def library(server: RealServer) -> dict[str, str]:
    """The ids of the server's own workflows, by name."""
    with InvokeAIClient.from_url(server.url) as client:
        records = client.workflow_repo.list_workflows(categories=["default"])
        return {record["name"]: record["workflow_id"] for record in records}


@pytest.fixture(scope="module")
def stand_ins(server: RealServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """Records of models that have no tiny versions. They cannot be used for runs."""
    with stand_in_models(server.url, tmp_path_factory.mktemp("stand-ins")) as names:
        yield names


@pytest.fixture(scope="module")
def node_schemas(server: RealServer) -> dict[str, Any]:
    """The fields of each node type in the server's OpenAPI document."""
    status, document = request("GET", f"{server.url}/openapi.json")
    assert status == 200
    return {
        schema["properties"]["type"]["const"]: schema["properties"]
        for schema in document["components"]["schemas"].values()
        if schema.get("class") == "invocation"
    }


def document_of(client: InvokeAIClient, name: str) -> dict[str, Any]:
    """Return the workflow as stored on the server."""
    path = f"/api/v1/workflows/i/{FACTS[name]['id']}"
    return client._call(client._impl.connection.http.json("GET", path))["workflow"]


def test_library_has_the_expected_workflows(library: dict[str, str]) -> None:
    assert library == {name: facts["id"] for name, facts in FACTS.items()}
    assert (len(FACTS), len(INVOKABLE), len(RECORDED)) == (26, 21, 21)


@pytest.mark.parametrize("name", ALL)
def test_inputs_have_the_editors_order(client: InvokeAIClient, name: str) -> None:
    wf = client.workflow_repo.create_workflow(FACTS[name]["id"])
    assert wf.name == name
    assert [[item.label, item.node_id, item.field_name] for item in wf.list_inputs()] == FACTS[name]["inputs"]
    assert [item.input_index for item in wf.list_inputs()] == list(range(len(FACTS[name]["inputs"])))


@pytest.mark.parametrize("name", ALL)
def test_inputs_have_the_editors_types_limits_and_choices(
    client: InvokeAIClient, node_schemas: dict[str, Any], name: str
) -> None:
    document = document_of(client, name)
    types = {node["id"]: node["data"].get("type") for node in document["nodes"]}
    fed = {(edge["target"], edge.get("targetHandle")) for edge in document["edges"]}
    settings = form_settings(document)
    for item in client.workflow_repo.create_workflow(document).list_inputs():
        template = editor_input(types[item.node_id], item.field_name)
        assert template is not None, "the editor shows no fields of unknown node types"
        field = item.field
        assert item.type == type_of(template), item
        assert item.required == template["required"], item
        assert item.connected == (item.key in fed), item
        # The editor reads only the top level of a schema. The server's limits can also be inside anyOf.
        deeper = [
            limits_of(part, {})
            for part in node_schemas[types[item.node_id]][item.field_name].get("anyOf", ())
        ]
        limits = {key: value for one in deeper for key, value in one.items()}
        limits |= limits_of(template, settings.get(item.key, {}))
        assert field.limits == Limits(**limits), item
        assert list(field.choices or ()) == template.get("options", list(field.choices or ())), item
        if template["type"]["name"] == "EnumField":
            assert field.choices, item
            assert field.choice_labels == template.get("ui_choice_labels", {}), item


@pytest.mark.parametrize("name", RECORDED)
def test_requests_equal_the_editors(client: InvokeAIClient, name: str) -> None:
    facts = FACTS[name]
    document = document_of(client, name)
    nodes = {node["id"]: node for node in document["nodes"]}
    for node_id, field, value in facts["filled"]:
        nodes[node_id]["data"]["inputs"][field]["value"] = value
    body = client.workflow_repo.create_workflow(document).enqueue_request(validate=False)
    assert request_digests(body) == facts["posted"]


@pytest.mark.parametrize("name", sorted(FACTS.keys() - GONE.keys()))
def test_untouched_values_are_sent_unchanged(client: InvokeAIClient, name: str) -> None:
    wf = client.workflow_repo.create_workflow(name)
    body = wf.enqueue_request(validate=False)
    document = document_of(client, name)
    assert list(differences(expected_graph_nodes(document), body["batch"]["graph"]["nodes"])) == []
    wired = [edge for edge in document["edges"] if edge["type"] == "default"]
    assert [
        (
            edge["source"]["node_id"],
            edge["source"]["field"],
            edge["destination"]["node_id"],
            edge["destination"]["field"],
        )
        for edge in body["batch"]["graph"]["edges"]
    ] == [(edge["source"], edge["sourceHandle"], edge["target"], edge["targetHandle"]) for edge in wired]
    attached = client.workflow_repo.create_workflow(body["batch"]["workflow"])
    again = attached.enqueue_request(validate=False)
    assert list(differences(normalised(body), normalised(again))) == []
    assert not wf.warnings or name in OTHER_MAJOR


@pytest.mark.parametrize("name", ALL)
def test_seed_replaces_random_nodes_in_the_request(client: InvokeAIClient, name: str) -> None:
    wf = client.workflow_repo.create_workflow(name)
    untouched = wf.enqueue_request(validate=False)
    batch = wf.enqueue_request(validate=False, seed=7)["batch"]
    kinds = {node["type"] for node in batch["graph"]["nodes"].values()}
    assert "rand_int" not in kinds
    seeds = [node["seed"] for node in batch["graph"]["nodes"].values() if "seed" in node]
    assert seeds == [7]
    assert wf.enqueue_request({"seed": 7}, validate=False)["batch"]["workflow"] == batch["workflow"]
    carried = client.workflow_repo.create_workflow(batch["workflow"]).enqueue_request(validate=False)
    # The attached workflow keeps the random node without its edges, for someone who opens it in the web UI.
    changes = differences(normalised({"prepend": False, "batch": batch}), normalised(carried))
    assert [change for change in changes if "rand_int" not in change] == []
    assert list(differences(normalised(untouched), normalised(wf.enqueue_request(validate=False)))) == []


@pytest.mark.parametrize("name", ALL)
def test_sweep_over_another_input_pins_the_seed(client: InvokeAIClient, name: str) -> None:
    wf = client.workflow_repo.create_workflow(name)
    text = next(item for item in wf.inputs.everything() if item.type == "StringField" and not item.connected)
    plan = wf.sweep_plan({text.key: ["a", "b"]})
    assert plan.inputs is not None
    seed = plan.inputs.snapshot()["seed"]
    assert isinstance(seed, int)
    body = wf.enqueue_request({"seed": seed}, validate=False)
    assert [node["seed"] for node in body["batch"]["graph"]["nodes"].values() if "seed" in node] == [seed]
    assert "seed" not in plan.axes


# --------------------------------------------------------------------------- what the server says to them

# The model to use if several are compatible. Otherwise the first compatible model is used.
CHOSEN = {
    "Any Model": "tiny-controlnet-canny-sd1",
    "VAE Model - SD1.5, SD2, SDXL, SD3, FLUX": "tiny-vae-sdxl",
}


def all_filled(client: InvokeAIClient, name: str, image: str, video: str) -> dict[str, Any]:
    """Return a value for each model, image and video in the form, selected from the editor's lists."""
    document = document_of(client, name)
    types = {node["id"]: node["data"]["type"] for node in document["nodes"]}
    records = [record.to_dict() for record in client.dnn_model_repo.list_models()]
    values: dict[str, Any] = {}
    for item in client.workflow_repo.create_workflow(document).list_inputs():
        template = editor_input(types[item.node_id], item.field_name)
        address = f"{item.node_id}.{item.field_name}"
        if template is None or item.connected:
            continue
        if template["type"]["name"] == "ModelIdentifierField":
            fitting = [record["name"] for record in models_that_fit(template, records)]
            assert fitting, f"no stand-in for {item}"
            chosen = CHOSEN.get(item.node_name, fitting[0])
            assert chosen in fitting
            values[address] = chosen
        elif template["type"]["name"] == "ImageField":
            values[address] = image
        elif template["type"]["name"] == "VideoField":
            values[address] = video
        elif (types[item.node_id], item.field_name) == ("prompt_from_file", "file_path"):
            values[address] = str(Path(__file__))
    return values


@pytest.mark.parametrize("name", INVOKABLE)
def test_workflows_that_the_editor_can_invoke_are_accepted(
    client: InvokeAIClient, held_queue: None, stand_ins: list[str], uploaded: str, video: str, name: str
) -> None:
    facts = FACTS[name]
    assert facts.get("ready") or not facts.get("filled"), "once filled, the editor let it be invoked"
    wf = client.workflow_repo.create_workflow(name)
    run = wf.start(all_filled(client, name, uploaded, video))
    assert run.refresh().state is JobStatus.PENDING
    assert client.queue_repo.item_ids() == [run.item_id]
    assert run.cancel().state is JobStatus.CANCELLED
    assert wf.warnings == ()


@pytest.mark.parametrize("name", INVOKABLE)
def test_missing_models_are_reported_for_each_field(client: InvokeAIClient, name: str) -> None:
    document = document_of(client, name)
    wf = client.workflow_repo.create_workflow(document)
    needed = [
        item
        for item in wf.list_inputs()
        if item.type in ("ModelIdentifierField", "ImageField", "VideoField") and item.required
        if item.value is None and not item.connected
    ]
    with pytest.raises(NotReadyError) as caught:
        wf.enqueue_request()
    for item in needed:
        assert any(
            item.node_name in finding and item.label in finding for finding in caught.value.findings
        ), item


@pytest.mark.parametrize("name", sorted(GONE))
def test_missing_node_types_are_reported(
    client: InvokeAIClient, held_queue: None, stand_ins: list[str], uploaded: str, video: str, name: str
) -> None:
    wf = client.workflow_repo.create_workflow(name)
    document = document_of(client, name)
    with pytest.raises(UnknownNodeError) as caught:
        wf.start(all_filled(client, name, uploaded, video))
    for kind in GONE[name]:
        [node] = [node["id"] for node in document["nodes"] if node["data"].get("type") == kind]
        assert kind in caught.value.node_types
        assert repr(kind) in str(caught.value)
        assert any(kind in warning and node in warning for warning in wf.warnings)
    assert client.queue_repo.item_ids() == []


@pytest.mark.parametrize("name", OTHER_MAJOR)
def test_node_of_another_major_version_causes_a_warning(client: InvokeAIClient, name: str) -> None:
    [warning] = client.workflow_repo.create_workflow(name).warnings
    assert "'FLUX Denoise'" in warning
    assert "3.0.0" in warning
    assert "4.6.0" in warning
