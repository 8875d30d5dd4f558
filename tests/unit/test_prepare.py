"""Preparation of a request: lookups on the server, missing things, and uploads."""

from __future__ import annotations

import asyncio
import pickle
from pathlib import Path
from typing import Any

import pytest
from fake_server import FakeServer, identifier, model
from photos import png
from workflows import workflow

from invokeai_py_client._text import node_place
from invokeai_py_client.engine.definition import WorkflowDefinition
from invokeai_py_client.engine.inputs import InputSet
from invokeai_py_client.engine.load import load_workflow
from invokeai_py_client.engine.models import model_changes
from invokeai_py_client.engine.workflow import LoadedWorkflow
from invokeai_py_client.errors import (
    APIRequestError,
    InputError,
    InputValueError,
    ModelNotFoundError,
    NotReadyError,
    ServerError,
    UnknownNodeError,
    UsageError,
)
from invokeai_py_client.ivk_fields.pending import LocalImage
from invokeai_py_client.run.prepare import prepare_request
from invokeai_py_client.schema.reference import reference_schema

DREAM, OTHER, XL = model("m1", "Dream"), model("m2", "Other"), model("x1", "Big", "sdxl")
VAE, INK, OIL = (
    model("v1", "Vae", kind="vae"),
    model("l1", "Ink", kind="lora"),
    model("l2", "Oil", kind="lora"),
)
PNG_1, PNG_2 = png(1), png(2)
MODELS = [DREAM, OTHER, XL, VAE, INK, OIL]
BOARD = "3f2b8a52-3f5a-4b0e-9f4e-0c8f0a7f0001"


def nodes(**changes: Any) -> dict[str, tuple[str, dict[str, Any]]]:
    return {
        "loader": ("main_model_loader", {"model": changes.get("model", identifier(DREAM))}),
        "loras": ("lora_collection_loader", {"loras": changes.get("loras", [])}),
        "vae": ("vae_loader", {"vae_model": changes.get("vae", identifier(VAE))}),
        "save": (
            "save_image",
            {"image": changes.get("image", {"image_name": "a.png"}), "board": changes.get("board", "auto")},
        ),
    }


async def prepared(
    server: FakeServer,
    values: dict[Any, Any] | None = None,
    given: dict[str, Any] | None = None,
    **options: Any,
) -> dict[str, Any]:
    loaded, inputs = inputs_of(given)
    inputs.set(values or {})
    return await prepare_request(server.connection, loaded, reference_schema(), inputs, **options)


def inputs_of(given: dict[str, Any] | None = None, **labels: str) -> tuple[LoadedWorkflow, InputSet]:
    edges = ["loader.unet -> loras.unet", "loader.clip -> loras.clip"]
    document = workflow("Test", given or nodes(), edges if given is None or "loras" in given else [], [])
    for node in document["nodes"]:
        node["data"]["label"] = labels.get(node["id"], node["id"])
    loaded = load_workflow(WorkflowDefinition.from_dict(document), reference_schema())
    return loaded, InputSet(loaded, reference_schema())


def of(body: dict[str, Any], node: str, field: str) -> Any:
    return body["batch"]["graph"]["nodes"][node].get(field)


def server(**known: Any) -> FakeServer:
    here: dict[str, Any] = {
        "models": MODELS,
        "images": {"a.png"},
        "boards": {BOARD: "Portraits", "b2": "Two"},
    }
    return FakeServer(**here | known)


# ------------------------------------------------------------------ models


@pytest.mark.parametrize(
    "foreign",
    [
        {"key": "m1", "hash": "?", "name": "?"},  # only the key matches
        {"key": "far", "hash": "blake3:m1", "name": "Renamed"},  # only the hash matches
        {"key": "far", "hash": "random:1", "name": "Dream"},  # name, base and type match
        {"key": "far", "hash": "blake3:m1", "name": "Other"},  # the hash takes precedence over the name
    ],
)
async def test_a_foreign_model_gets_this_servers_key(foreign: dict[str, str]) -> None:
    body = await prepared(server(), given=nodes(model=identifier(DREAM, **foreign)))
    assert of(body, "loader", "model")["key"] == "m1"
    if foreign["key"] != "m1":
        assert of(body, "loader", "model") == identifier(DREAM)
        (attached,) = [node for node in body["batch"]["workflow"]["nodes"] if node["id"] == "loader"]
        assert attached["data"]["inputs"]["model"]["value"]["key"] == "m1"


async def test_random_hashes_do_not_match() -> None:
    known = server(models=[model("m9", "Else", hash="random:1"), VAE])
    with pytest.raises(ModelNotFoundError):
        await prepared(known, given=nodes(model=identifier(DREAM, key="far", hash="random:1")))


OLD = {"model_name": "Dream", "base_model": "sd-1"}
"""A model as workflows of InvokeAI 3 and older identify it."""


@pytest.mark.parametrize("literal", [OLD, {**OLD, "model_type": "main"}])
async def test_model_in_old_format_is_found_by_name_and_base(literal: dict[str, str]) -> None:
    given = nodes(model=literal)
    assert of(await prepared(server(), given=given), "loader", "model") == identifier(DREAM)
    field = inputs_of(given)[1].find("loader.model").field
    assert field.display_value == "Dream"
    assert field.problems() == []


async def test_models_in_old_format_are_synced_and_unknown_nodes_skipped() -> None:
    given = nodes(model={**OLD, "base_model": "sd-2"})
    given["gone"] = ("community_controlnet", {"control_model": identifier(DREAM, key="far")})
    loaded, inputs = inputs_of(given)
    assert model_changes(loaded, reference_schema(), inputs, MODELS, by_name=False) == []
    (change,) = model_changes(loaded, reference_schema(), inputs, MODELS)
    assert change.key == ("loader", "model")
    assert (change.before["name"], change.before["base"]) == ("Dream", "sd-2")
    assert change.value == identifier(DREAM)


@pytest.mark.parametrize(
    ("literal", "name"),
    [
        ({**OLD, "model_name": "Gone"}, "'Gone' (sd-1 main)"),
        ({**OLD, "base_model": "sdxl"}, "'Dream' (sdxl"),
    ],
)
async def test_missing_model_in_old_format_is_reported_once(literal: dict[str, str], name: str) -> None:
    with pytest.raises(ModelNotFoundError) as caught:
        await prepared(server(), given=nodes(model=literal))
    text = str(caught.value)
    assert "\n" not in text
    assert text.startswith(f"Model (loader): the model {name}")
    assert text.endswith("Compatible models: 'Dream', 'Other'.")


async def test_setting_a_model_in_old_format_replaces_it() -> None:
    given = nodes(model={**OLD, "model_name": "Gone"})
    body = await prepared(server(), {"loader.model": "Other"}, given)
    assert of(body, "loader", "model")["name"] == "Other"


async def test_errors_name_nodes_with_equal_labels_by_id() -> None:
    given = nodes(vae=None)
    given["vae2"] = ("vae_loader", {"vae_model": None})
    with pytest.raises(InputValueError, match=r"^VAE \(vae2\): 5 is not valid"):
        inputs_of(given)[1].set({"vae2.vae_model": 5})
    _, inputs = inputs_of(given, vae="Loader", vae2="Loader")
    with pytest.raises(InputValueError, match=r"^VAE \(Loader, node vae2\): 5 is not valid"):
        inputs.set({("vae2", "vae_model"): 5})
    with pytest.raises(InputValueError, match=r"^VAE \(Loader, node vae2\): 5 is not valid"):
        pickle.loads(pickle.dumps(inputs)).set({("vae2", "vae_model"): 5})


async def test_missing_called_workflow_names_the_node_and_the_fix() -> None:
    given = {"call": ("call_saved_workflow", {"workflow_id": "1111"})}
    with pytest.raises(NotReadyError) as caught:
        await prepared(server(), given=given)
    (finding,) = caught.value.findings
    assert "(call): this node calls the workflow '1111', which is not in the server's library." in finding
    assert finding.endswith("or set 'workflow_id' to an id.")
    document = WorkflowDefinition.from_dict(workflow("Test", given, []))
    assert load_workflow(document, reference_schema(), {}).warnings == ()
    (warning,) = load_workflow(document, reference_schema(), {"1111": None}).warnings
    assert warning.startswith("Node 'call' (call) calls the workflow '1111', which is not in")


async def test_foreign_model_keeps_its_submodel() -> None:
    foreign = {**identifier(DREAM, key="far"), "submodel_type": "unet"}
    body = await prepared(server(), given=nodes(model=foreign))
    assert of(body, "loader", "model") == {**identifier(DREAM), "submodel_type": "unet"}


async def test_foreign_models_in_lists_are_translated_one_by_one() -> None:
    loras = [
        {"lora": identifier(INK, key="far"), "weight": 0.3},
        {"lora": identifier(OIL), "weight": 0.4},
        {"lora": identifier(OIL, key="farther"), "weight": 0.5},
    ]
    body = await prepared(server(), given=nodes(loras=loras))
    assert [(one["lora"]["key"], one["weight"]) for one in of(body, "loras", "loras")] == [
        ("l1", 0.3),
        ("l2", 0.4),
        ("l2", 0.5),
    ]


async def test_known_models_are_sent_unchanged() -> None:
    own = identifier(DREAM, name="What the author calls it")
    body = await prepared(server(), given=nodes(model=own))
    assert of(body, "loader", "model") == own


async def test_missing_model_is_reported_with_compatible_models() -> None:
    lost = identifier(model("gone", "Lost"))
    gone = {"lora": identifier(model("g", "Gone", kind="lora")), "weight": 1}
    with pytest.raises(ModelNotFoundError) as caught:
        await prepared(server(), given=nodes(model=lost, loras=[gone]))
    lines = str(caught.value).split("\n")
    assert (
        lines[0]
        == "Model (loader): the model 'Lost' (sd-1 main) is not on the server. Compatible models: 'Dream', 'Other'."
    )
    assert lines[1].startswith(
        "LoRAs (loras): the model 'Gone' (sd-1 lora) is not on the server. Compatible models: 'Ink', 'Oil'."
    )


@pytest.mark.parametrize(("text", "key"), [("Dream", "m1"), ("dream", "m1"), ("m2", "m2")])
async def test_a_model_by_name_or_key(text: str, key: str) -> None:
    body = await prepared(server(), {"loader.model": text})
    assert of(body, "loader", "model")["key"] == key


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("Drem", r"Model \(loader\): no compatible model named 'Drem'\. Did you mean 'Dream'\?$"),
        ("Vae", r"'Vae' \(sd-1 vae\) is not compatible .* Compatible models: 'Dream', 'Other', 'Twice'\.$"),
        ("Big", r"'Big' \(sdxl main\) is not compatible"),
        ("Twice", r"'Twice' is ambiguous: 2 models .* Use a key: t1 \(sd-1 main\), t2 \(sd-1 main\)\.$"),
    ],
)
async def test_unsuitable_model_name_raises(text: str, says: str) -> None:
    twins = [model("t1", "Twice"), model("t2", "Twice")]
    with pytest.raises(ModelNotFoundError, match=says):
        await prepared(server(models=[*MODELS, *twins]), {"loader.model": text})


async def test_loras_by_name_with_weights() -> None:
    body = await prepared(server(), {"loras.loras": [("Ink", 0.3), "Oil"]})
    assert of(body, "loras", "loras") == [
        {"lora": identifier(INK), "weight": 0.3},
        {"lora": identifier(OIL), "weight": 0.75},
    ]


async def test_missing_model_value_suggests_models() -> None:
    given = nodes()
    given["loader"] = ("main_model_loader", {})
    with pytest.raises(NotReadyError, match=r"Model \(loader\): no model is set; .*'Dream', 'Other'\."):
        await prepared(server(), given=given)
    with pytest.raises(NotReadyError, match="The server has no model that fits"):
        await prepared(server(models=[VAE]), given=given)


async def test_field_is_reported_once() -> None:
    given = nodes()
    given["loader"] = ("main_model_loader", {})
    with pytest.raises(ModelNotFoundError) as caught:
        await prepared(server(), {"loader.model": "Nothing"}, given)
    assert str(caught.value).count("Model (loader)") == 1
    assert "\n" not in str(caught.value)


# ------------------------------------------------------------------ other things that must exist


async def test_all_missing_things_are_reported_together(tmp_path: Path) -> None:
    file = tmp_path / "new.png"
    file.write_bytes(PNG_1)
    known = server()
    given = nodes(
        model=identifier(model("gone", "Lost")), board={"board_id": "lost"}, image={"image_name": "lost.png"}
    )
    given["scale"] = ("img_scale", {"image": {"image_name": "a.png"}, "scale_factor": -1})
    given["lone"] = ("img_blur", {})
    with pytest.raises(NotReadyError) as caught:
        await prepared(
            known, {"vae.vae_model": "Nothing", "lone.image": file, "save.board": "Porträts"}, given
        )
    text = str(caught.value)
    assert text.startswith("The workflow 'Test' cannot run yet:\n- ")
    for part in (
        "'Lost'",
        "VAE (vae): no compatible model named 'Nothing'",
        "Board (save): No board named 'Porträts'. Did you mean 'Portraits'?",
        "Image (save): no image named 'lost.png' on the server",
        "Scale Factor (scale)",
    ):
        assert sum(part in finding for finding in caught.value.findings) == 1, part
    assert len(caught.value.findings) == 5
    assert known.uploaded == []


async def test_unknown_node_types_are_reported_first() -> None:
    known, schema = server(), reference_schema()
    document = workflow("Test", nodes(model=identifier(model("gone", "Lost"))), [], [])
    document["nodes"][0]["data"]["type"] = "loader_of_tomorrow"
    loaded = load_workflow(WorkflowDefinition.from_dict(document), schema)
    with pytest.raises(UnknownNodeError, match="loader_of_tomorrow"):
        await prepare_request(known.connection, loaded, schema, InputSet(loaded, schema))
    assert known.asked == []


async def test_runs_below_one_raise() -> None:
    with pytest.raises(UsageError, match="Invalid runs 0"):
        await prepared(server(), runs=0)


async def test_each_lookup_is_made_once() -> None:
    known = server()
    loras = [{"lora": identifier(INK, key="a"), "weight": 1}, {"lora": identifier(OIL, key="b"), "weight": 1}]
    given = nodes(loras=loras, board={"board_id": BOARD})
    given["again"] = ("save_image", {"image": {"image_name": "a.png"}, "board": {"board_id": BOARD}})
    await prepared(known, given=given)
    assert sorted(known.asked) == ["/api/v1/boards/", "/api/v1/images/i/a.png", "/api/v2/models/"]


# ------------------------------------------------------------------ boards


@pytest.mark.parametrize(
    ("board", "wire"),
    [("Portraits", {"board_id": BOARD}), ("b2", {"board_id": "b2"}), ("none", None), ("auto", None)],
)
async def test_boards_by_name_or_id(board: str, wire: Any) -> None:
    body = await prepared(server(), {"save.board": board})
    assert of(body, "save", "board") == wire


@pytest.mark.parametrize(
    ("auto", "wire"),
    [("Portraits", {"board_id": BOARD}), (BOARD, {"board_id": BOARD}), (None, None), ("none", None)],
)
async def test_auto_board(auto: str | None, wire: Any) -> None:
    assert of(await prepared(server(), auto_board=auto), "save", "board") == wire


async def test_ambiguous_board_name_raises() -> None:
    known = server(boards={"b1": "Twice", "b2": "Twice"})
    with pytest.raises(NotReadyError, match=r"2 boards are named 'Twice'\. Use an id instead: b1, b2"):
        await prepared(known, auto_board="Twice")


# ------------------------------------------------------------------ images


async def test_an_image_is_uploaded_once_per_content(tmp_path: Path) -> None:
    one, same, other = (tmp_path / name for name in ("one.png", "same.png", "other.png"))
    one.write_bytes(PNG_1)
    same.write_bytes(PNG_1)
    other.write_bytes(PNG_2)
    given = {"all": ("image_collection", {}), "blur": ("img_blur", {})}
    known = server()
    values = {"all.images": [one, "a.png", same, other, PNG_2], "blur.image": same}
    body = await prepared(known, values, given)
    assert sorted(known.uploaded) == sorted([PNG_1, PNG_2])
    names = [image["image_name"] for image in of(body, "all", "images")]
    assert names[1] == "a.png"
    assert names[0] == names[2] == of(body, "blur", "image")["image_name"]
    assert names[3] == names[4]
    assert set(names) <= known.images
    await prepared(known, values, given)
    assert len(known.uploaded) == 2


async def test_deleted_upload_is_uploaded_again() -> None:
    known, given = server(), {"blur": ("img_blur", {})}
    body = await prepared(known, {"blur.image": PNG_1}, given)
    known.images.discard(of(body, "blur", "image")["image_name"])
    body = await prepared(known, {"blur.image": PNG_1}, given)
    assert len(known.uploaded) == 2
    assert of(body, "blur", "image")["image_name"] in known.images


async def test_nothing_is_uploaded_before_all_checks_pass() -> None:
    known = server()
    given = nodes(model=identifier(model("gone", "Lost")))
    with pytest.raises(ModelNotFoundError):
        await prepared(known, {"save.image": PNG_1}, given)
    assert known.uploaded == []


async def test_unreadable_images_are_reported_with_their_input(tmp_path: Path) -> None:
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"<html>")
    known = server()
    problem = f"Image (blur): '{bad}' is not a readable image: it contains text."
    with pytest.raises(NotReadyError) as caught:
        await prepared(known, {"blur.image": bad}, {"blur": ("img_blur", {})})
    assert caught.value.findings == (problem,)
    data = [
        [
            {
                "node_path": "blur",
                "field_name": "image",
                "items": [LocalImage(path=str(bad)), LocalImage(data=PNG_1)],
            }
        ]
    ]
    with pytest.raises(NotReadyError) as caught:
        await prepared(known, {"blur.image": bad}, {"blur": ("img_blur", {})}, data=data)
    assert caught.value.findings == (problem,)
    assert known.uploaded == []


async def test_a_called_workflow_by_name() -> None:
    class Library(FakeServer):
        def _answer(self, path: str) -> Any:
            if path == "/api/v1/workflows/":
                return {"items": [{"workflow_id": "w1", "name": "Inner"}]}
            return super()._answer(path)

    known, given = Library(workflows={"w1"}), {"call": ("call_saved_workflow", {})}
    for reference in ("Inner", "inner", "w1"):
        body = await prepared(known, {"call.workflow_id": reference}, given, validate=False)
        assert of(body, "call", "workflow_id") == "w1"
    with pytest.raises(NotReadyError, match=r"\(call\): No workflow named 'Innner'\. Did you mean 'Inner'"):
        await prepared(known, {"call.workflow_id": "Innner"}, given)


async def test_missing_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    file.write_bytes(PNG_1)
    schema = reference_schema()
    document = workflow("Test", {"blur": ("img_blur", {})}, [], [])
    loaded = load_workflow(WorkflowDefinition.from_dict(document), schema)
    inputs = InputSet(loaded, schema)
    inputs.set({"blur.image": file})
    file.unlink()
    with pytest.raises(UsageError, match="Cannot read the image"):
        await prepare_request(server().connection, loaded, schema, inputs)


async def test_failed_upload_cancels_the_others() -> None:
    class Full(FakeServer):
        async def upload(self, data: bytes, *, filename: str) -> Any:
            if data == PNG_2:
                raise ServerError(500, None, "disk full")
            await asyncio.sleep(3600)
            raise AssertionError("should have been canceled")

    known = Full(images={"a.png"})
    before = len(asyncio.all_tasks())
    with pytest.raises(APIRequestError, match="disk full"):
        await prepared(known, {"all.images": [PNG_1, PNG_2]}, {"all": ("image_collection", {})})
    assert len(asyncio.all_tasks()) == before


# ------------------------------------------------------------------ without validation


async def test_no_lookups_without_validation() -> None:
    known = server()
    given = nodes(
        model=identifier(model("gone", "Lost")), image={"image_name": "lost.png"}, board={"board_id": "lost"}
    )
    body = await prepared(
        known, {"loras.loras": []}, given, validate=False, auto_board=BOARD.replace("0001", "0009")
    )
    assert known.asked == []
    assert of(body, "loader", "model")["key"] == "gone"
    assert of(body, "save", "image") == {"image_name": "lost.png"}


async def test_board_id_is_trusted_without_validation() -> None:
    known = server()
    body = await prepared(known, {"save.board": BOARD.replace("0001", "0009")}, validate=False)
    assert of(body, "save", "board") == {"board_id": BOARD.replace("0001", "0009")}
    assert known.asked == []


async def test_only_names_are_looked_up_without_validation() -> None:
    known = server()
    body = await prepared(
        known, {"save.board": "Two", "loader.model": "Other", "save.image": PNG_1}, validate=False
    )
    assert (of(body, "save", "board"), of(body, "loader", "model")["key"]) == ({"board_id": "b2"}, "m2")
    assert sorted(known.asked) == ["/api/v1/boards/", "/api/v2/models/"]
    assert known.uploaded == [PNG_1]


async def test_unknown_name_raises_without_validation() -> None:
    with pytest.raises(ModelNotFoundError):
        await prepared(server(), {"loader.model": "Nothing"}, validate=False)


# ------------------------------------------------------------------ generators


def generated(
    kind: str, settings: dict[str, Any], batch: str, field: str, out: str
) -> tuple[dict[str, Any], list[str]]:
    family = kind.split("_")[0]
    given = {
        "gen": (kind, {"generator": settings}),
        "batch": (f"{family}_batch", {"batch_group_id": "None"}),
        "use": (batch, {}),
    }
    return given, [f"gen.{family}s -> batch.{family}s", f"batch.{out} -> use.{field}"]


async def body_of(
    known: FakeServer, given: dict[str, Any], edges: list[str], **options: Any
) -> dict[str, Any]:
    schema = reference_schema()
    loaded = load_workflow(WorkflowDefinition.from_dict(workflow("Test", given, edges, [])), schema)
    return await prepare_request(known.connection, loaded, schema, InputSet(loaded, schema), **options)


BOARD_IMAGES = {"type": "image_generator_images_from_board", "board_id": "b2", "category": "images"}
PROMPTS = {"type": "string_generator_dynamic_prompts_random", "input": "{a|b}", "count": 2, "seed": 5}


async def test_generator_reads_the_images_of_a_board() -> None:
    given, edges = generated("image_generator", BOARD_IMAGES, "img_blur", "image", "image")
    body = await body_of(server(board_images={"b2": ["x.png", "y.png"]}), given, edges)
    ((datum,),) = body["batch"]["data"]
    assert datum["items"] == [{"image_name": "x.png"}, {"image_name": "y.png"}]


async def test_deleted_board_generates_nothing() -> None:
    given, edges = generated("image_generator", BOARD_IMAGES, "img_blur", "image", "image")
    known = server(boards={})
    with pytest.raises(NotReadyError, match=r"Generator Type \(gen\): no board named 'b2'"):
        await body_of(known, given, edges)
    await body_of(known, given, edges, validate=False)


async def test_server_generates_prompts() -> None:
    given, edges = generated("string_generator", PROMPTS, "string", "value", "value")
    known = server(prompts=["a", "b"])
    body = await body_of(known, given, edges)
    ((datum,),) = body["batch"]["data"]
    assert datum["items"] == ["a", "b"]
    assert known.bodies == [{"prompt": "{a|b}", "max_prompts": 2, "combinatorial": False, "seed": 5}]


async def test_connected_inputs_name_feeding_nodes_with_equal_labels_by_id() -> None:
    given = {"w1": ("integer", {"value": 8}), "w2": ("integer", {"value": 8}), "noise": ("noise", {})}
    document = workflow("Test", given, ["w1.value -> noise.width"])
    for node in document["nodes"]:
        node["data"]["label"] = "Width" if node["id"] != "noise" else "noise"
    loaded = load_workflow(WorkflowDefinition.from_dict(document), reference_schema())
    with pytest.raises(InputError, match="a connection from 'Width, node w1'"):
        InputSet(loaded, reference_schema()).set({("noise", "width"): 64})


def test_node_place() -> None:
    labels = {"a": "denoise", "b": "denoise", "c": "decode", "d": ""}
    places = [node_place(node_id, labels) for node_id in "abcde"]
    assert places == ["denoise, node a", "denoise, node b", "decode", "d", "e"]
