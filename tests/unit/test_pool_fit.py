"""Whether a server can do a request, and the request with that server's keys."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from golden import CASES, golden

from invokeai_py_client.errors import UsageError
from invokeai_py_client.pool.fit import (
    ModelInfo,
    Needs,
    ServerInfo,
    affinity_of,
    misfits,
    needs_of,
    with_models,
)

POSTED = [name for name in CASES if golden(name).posted is not None]


def posted(name: str) -> Mapping[str, Any]:
    found = golden(name).posted
    assert found is not None
    return found


def other_server(needs: Needs) -> ServerInfo:
    """Return a server that has what a request needs, with other keys."""
    models = tuple(replace(model, key=f"there-{model.key}") for model in needs.models)
    return ServerInfo("6.14.2", {kind: version or "1.0.0" for kind, version in needs.nodes.items()}, models)


MODEL = ModelInfo("here", "blake3:1", "Dreamshaper 8", "sd-1", "main")
LORA = ModelInfo("lora", "blake3:2", "Sketch", "sd-1", "lora")


def field_of(model: ModelInfo) -> dict[str, Any]:
    """Return a model as graphs name it."""
    names = ("key", "hash", "name", "base", "type")
    return {name: getattr(model, name) for name in names} | {"submodel_type": None}


def request(*models: ModelInfo, **more: Any) -> dict[str, Any]:
    """Return a request that loads models."""
    nodes = {
        f"n{number}": {"id": f"n{number}", "type": "main_model_loader", "model": field_of(model)}
        for number, model in enumerate(models)
    }
    return {"batch": {"graph": {"id": "g", "nodes": nodes | more, "edges": []}, "data": [], "runs": 1}}


def server(*models: ModelInfo, **nodes: str) -> ServerInfo:
    return ServerInfo("6.14.2", {"main_model_loader": "1.0.4"} | nodes, models)


def reasons(there: ServerInfo, *models: ModelInfo) -> list[str]:
    return misfits(needs_of(request(*models)), there)


# --- recorded requests


@pytest.mark.parametrize("name", POSTED)
def test_a_recorded_request_fits_a_server_with_the_same_files_under_other_keys(name: str) -> None:
    body = posted(name)
    before = copy.deepcopy(body)
    needs = needs_of(body)
    there = other_server(needs)
    assert misfits(needs, there) == list(needs.fixed)
    moved = with_models(body, there)
    assert {model.key for model in needs_of(moved).models} == {model.key for model in there.models}
    assert affinity_of(moved) == affinity_of(body)
    assert moved["batch"].get("workflow") is body["batch"].get("workflow")
    assert body == before
    here = ServerInfo("6.14.2", there.nodes, needs.models)
    assert with_models(moved, here) == body


def test_models_are_found_in_fields_and_lists() -> None:
    found = {model.name for model in needs_of(posted("h17_models")).models}
    assert found == {"My SDXL", "VAE", "Lora", "sdxl-lora"}


def test_the_versions_of_nodes_are_those_of_the_workflow() -> None:
    assert needs_of(posted("h17_models")).nodes == {
        "sdxl_model_loader": "1.0.4",
        "vae_loader": "1.0.4",
        "sdxl_lora_collection_loader": "1.1.3",
    }


def test_without_a_workflow_only_the_node_types_are_compared() -> None:
    needs = needs_of(posted("h18c_form_missing_field"))
    assert set(needs.nodes.values()) == {""}
    assert misfits(needs, ServerInfo("6.14.2", dict.fromkeys(needs.nodes, "9.0.0"), ())) == []


# --- models


def test_a_model_is_the_one_with_the_same_hash_whatever_its_name_and_key() -> None:
    renamed = replace(MODEL, key="there", name="DS8")
    assert reasons(server(renamed), MODEL) == []
    moved = with_models(request(MODEL), server(renamed))
    assert moved["batch"]["graph"]["nodes"]["n0"]["model"] == {**field_of(MODEL), "key": "there"}


def test_a_missing_model_is_named() -> None:
    assert reasons(server(LORA), MODEL) == [
        "The model 'Dreamshaper 8' (sd-1, main) is not installed on this server. Install it there."
    ]
    with pytest.raises(UsageError, match="'Dreamshaper 8'"):
        with_models(request(MODEL), server(LORA))


def test_another_file_of_the_same_name_does_not_fit() -> None:
    assert reasons(server(replace(MODEL, hash="blake3:9")), MODEL) == [
        "The model 'Dreamshaper 8' (sd-1, main) is another file on this server: its hash there is blake3:9; expected "
        "blake3:1. Install the same file there."
    ]


def test_hashes_of_different_algorithms_cannot_be_compared() -> None:
    [reason] = reasons(server(replace(MODEL, hash="md5:9")), MODEL)
    assert "cannot be compared" in reason
    assert "hashing_algorithm" in reason


def test_the_same_file_with_another_record_does_not_fit() -> None:
    assert reasons(server(replace(MODEL, name="x", base="sdxl")), MODEL) == [
        "The model 'Dreamshaper 8' (sd-1, main) is recorded on this server as 'x' (sdxl, main). Correct its record "
        "there."
    ]


@pytest.mark.parametrize(
    ("here", "there"), [("random:1", "random:2"), ("random:1", "blake3:1"), ("", "blake3:1")]
)
def test_models_without_a_real_hash_are_compared_by_name_base_and_type(here: str, there: str) -> None:
    wanted, found = replace(MODEL, hash=here), replace(MODEL, key="there", hash=there)
    assert reasons(server(found), wanted) == []
    assert reasons(server(replace(found, name="Other")), wanted) != []
    assert reasons(server(replace(found, type="lora")), wanted) != []
    moved = with_models(request(wanted), server(found))
    assert moved["batch"]["graph"]["nodes"]["n0"]["model"] == field_of(found)


def test_of_two_copies_of_a_file_the_one_of_the_same_name_is_used() -> None:
    copies = [
        replace(MODEL, key="1", name="Copy"),
        replace(MODEL, key="2"),
        replace(MODEL, key="3", name="Old"),
    ]
    moved = with_models(request(MODEL), server(*copies))
    assert moved["batch"]["graph"]["nodes"]["n0"]["model"]["key"] == "2"


def test_models_in_loras_and_batch_data_are_translated_and_the_rest_is_shared() -> None:
    body = request(MODEL, l={"id": "l", "type": "loras", "loras": [{"lora": field_of(LORA), "weight": 0.5}]})
    items = [field_of(MODEL), field_of(LORA)]
    body["batch"]["data"] = [[{"node_path": "n0", "field_name": "model", "items": items}]]
    body["batch"]["workflow"] = {"nodes": []}
    there = server(replace(MODEL, key="m"), replace(LORA, key="l"), loras="1.0.0")
    assert misfits(needs_of(body), there) == []
    batch = with_models(body, there)["batch"]
    assert batch["graph"]["nodes"]["l"]["loras"] == [{"lora": {**field_of(LORA), "key": "l"}, "weight": 0.5}]
    assert [item["key"] for item in batch["data"][0][0]["items"]] == ["m", "l"]
    assert batch["graph"]["edges"] is body["batch"]["graph"]["edges"]
    assert batch["workflow"] is body["batch"]["workflow"]
    assert body["batch"]["graph"]["nodes"]["n0"]["model"]["key"] == "here"


def test_nothing_is_copied_if_the_keys_are_the_same() -> None:
    body = request(MODEL)
    assert with_models(body, server(MODEL))["batch"] is body["batch"]


def test_requests_that_load_the_same_models_have_the_same_affinity() -> None:
    assert affinity_of(request(MODEL, LORA)) == affinity_of(request(replace(LORA, key="x"), MODEL))
    assert affinity_of(request(MODEL)) != affinity_of(request(LORA))
    unhashed = replace(MODEL, hash="random:1")
    assert affinity_of(request(unhashed)) == affinity_of(request(replace(unhashed, hash="random:2")))
    assert affinity_of(request()) == affinity_of(request())


# --- nodes


def labeled(kind: str, version: str, pack: str, *labels: str) -> dict[str, Any]:
    """Return a request with nodes of a type, and the workflow that has their labels."""
    ids = [f"n{number}" for number in range(len(labels))]
    body = request(**{node_id: {"id": node_id, "type": kind} for node_id in ids})
    body["batch"]["workflow"] = {
        "nodes": [
            {"id": node_id, "data": {"type": kind, "version": version, "nodePack": pack, "label": label}}
            for node_id, label in zip(ids, labels, strict=True)
        ]
    }
    return body


def test_a_missing_node_type_is_named_with_its_labels_and_its_pack() -> None:
    body = labeled("wait", "1.0.0", "ivk_wait", "Slow", "", "Slower")
    assert misfits(needs_of(body), server()) == [
        "The node type 'wait' (nodes 'Slow', 'Slower') is missing on this server. Install the node pack "
        "'ivk_wait' there."
    ]


def test_a_missing_node_type_of_invokeai_needs_another_version() -> None:
    assert misfits(needs_of(labeled("new", "1.0.0", "invokeai", "")), server()) == [
        "The node type 'new' is missing on this server. Install a version of InvokeAI that has it there."
    ]


def test_a_node_type_fits_with_the_same_major_version() -> None:
    needs = needs_of(labeled("wait", "1.2.3", "ivk_wait", "Slow"))
    assert misfits(needs, server(wait="1.9.0")) == []
    assert misfits(needs, server(wait="2.0.0")) == [
        "The node type 'wait' (node 'Slow') has version 2.0.0 on this server; expected 1.x like 1.2.3. Install the "
        "same version there."
    ]
    assert misfits(needs, server(wait="10.0.0")) != []


# --- what only one server has


def test_a_called_workflow_cannot_be_moved() -> None:
    assert needs_of(posted("h29d_call_unset")).fixed == (
        "The node 'call' calls a saved workflow, which is in the library of one server. Replace it with the nodes of "
        "that workflow.",
    )


def test_a_style_preset_cannot_be_moved() -> None:
    assert needs_of(posted("h37_style_preset")).fixed == (
        "The node 'p' uses a style preset of one server. Write its text into the prompt.",
        "The node 'p2' uses a style preset of one server. Write its text into the prompt.",
    )
    body = request()
    body["batch"]["data"] = [
        [{"node_path": "p", "field_name": "style_preset", "items": [{"style_preset_id": "1"}] * 2}]
    ]
    assert len(needs_of(body).fixed) == 1


def test_only_system_prompts_of_invokeai_can_be_moved() -> None:
    def needs(prompt_id: str) -> Needs:
        return needs_of(
            request(t={"id": "t", "type": "text_llm", "system_prompt": {"system_prompt_id": prompt_id}})
        )

    assert needs("0f8f5b2e-1c9e-4f2a-9a4e-1f1f1f1f0003").fixed == ()
    assert needs("5").fixed == (
        "The node 't' uses a system prompt of one server. Use one that comes with InvokeAI.",
    )
