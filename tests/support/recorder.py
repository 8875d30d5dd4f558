"""Record artifacts: everything that the package writes and reads back, made on a real server.

    python tests/support/recorder.py URL ROOT FOLDER

``URL`` is a local server with the tiny models, ``ROOT`` its root folder. Its queue should be empty.
"""

from __future__ import annotations

import asyncio
import copy
import io
import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import workflows
from artifacts import SECRETS, facts, request_facts, write
from PIL import Image as Pillow
from workflows import workflow

import invokeai_py_client
from invokeai_py_client import (
    AsyncInvokeAIClient,
    DynamicPrompts,
    InvokeAIClient,
    LocalServer,
    ModelInstJobHandle,
    SessionEvent,
    Sweep,
    WorkflowDefinition,
    errors,
    ivk_fields,
    models,
)
from invokeai_py_client.config import Profile, keep_profile
from invokeai_py_client.dnn_model import HFLoginStatus, ModelInstallConfig
from invokeai_py_client.dnn_model import events as install_events
from invokeai_py_client.queue import JobHandle
from invokeai_py_client.quick import QuickClient
from invokeai_py_client.server import installed, make_tiny_models
from invokeai_py_client.server.paths import cache_base
from invokeai_py_client.v1.upstream_models import load_workflow_json

_GONE = 4_294_967_290
"""A queue item id that no server has."""

KILLED = textwrap.dedent("""
    import sys
    from invokeai_py_client import InvokeAIClient
    with InvokeAIClient.from_url(sys.argv[1]) as client:
        wf = client.workflow_repo.create_workflow("sum.json")
        for run in wf.sweep(a=range(100, 108), manifest="killed.jsonl", background=True):
            print(run.item_id, flush=True)
""")


class Keeper:
    """Collects pickles and what is expected of them.

    Attributes:
        folder: Where files go.
        pickles: The bytes by name.
        expected: The facts by name.
        files: The facts of files, by kind.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pickles: dict[str, bytes] = {}
        self.expected: dict[str, Any] = {}
        self.files: dict[str, Any] = {}

    def keep(self, name: str, value: Any) -> None:
        """Keep a value as a pickle, with its facts."""
        assert name not in self.pickles, name
        self.pickles[name] = pickle.dumps(value)
        self.expected[name] = facts(value)

    def write(self, about: Mapping[str, Any]) -> None:
        """Write the archive and the expected values."""
        write(self.folder, self.pickles, {"about": about, **self.files, "pickles": self.expected})


def record(url: str, root: Path, folder: Path) -> None:
    """Record all artifacts of this version into a folder that does not exist yet.

    Args:
        url: The server.
        root: The server's folder.
        folder: The new folder.
    """
    folder.mkdir(parents=True)
    keeper = Keeper(folder)
    with InvokeAIClient.from_url(url) as client, _nothing_left(client):
        about = {"version": invokeai_py_client.__version__, "server": client.version(), "url": client.url}
        document = _lighthouse(client)
        _clients(keeper, url)
        _handles(keeper, client, document)
        _runs(keeper, client, document)
        _sweeps(keeper, client, document)
        _things(keeper, client)
        _records(keeper, client)
        _errors(keeper, client)
        _fields(keeper)
        _local_server(keeper, root, about["server"])
        _schemas(keeper, client)
        _killed_sweep(keeper, client)
        _index_map(keeper, client, document)
        _modules(keeper, client)
        _export(keeper, client)
        _configuration(keeper)
        queue = client.queue_repo.get_queue()
        keeper.keep("queue_results", [queue.cancel_all_except_current(), queue.prune(), queue.clear()])
    asyncio.run(_asynchronous(keeper, url, document))
    keeper.write(about)


# --------------------------------------------------------------------------- workflows


def division() -> dict[str, Any]:
    """Return a workflow that fails for ``b=0``."""
    return workflow("Division", {"quotient": ("div", {"a": 84, "b": 2})}, [], [("quotient", "b")])


def pictures() -> dict[str, Any]:
    """Return a workflow that takes an image and a model."""
    return workflow(
        "Pictures",
        {"vae": ("vae_loader", {}), "blur": ("img_blur", {"radius": 2})},
        [],
        [("blur", "image"), ("vae", "vae_model"), ("blur", "board")],
        final=["blur"],
    )


def numbers() -> dict[str, Any]:
    """Return a workflow with an iteration."""
    return workflow(
        "Numbers",
        {
            "numbers": ("range", {"start": 0, "stop": 3, "step": 1}),
            "each": ("iterate", {}),
            "sum": ("add", {"b": 10}),
        },
        ["numbers.collection -> each.collection", "each.item -> sum.a"],
        [("numbers", "stop"), ("sum", "b")],
    )


def returning() -> dict[str, Any]:
    """Return a workflow that other workflows can call: it returns the sum."""
    return workflow(
        "Inner",
        {
            "sum": ("add", {"a": 1, "b": 2}),
            "total": ("workflow_return_value", {"key": "total"}),
            "list": ("collect", {}),
            "return": ("workflow_return", {}),
        },
        ["sum.value -> total.value", "total.value -> list.item", "list.collection -> return.values"],
        [("sum", "a")],
    )


def everything() -> dict[str, Any]:
    """Return a workflow whose form has inputs of many kinds."""
    return workflow(
        "Everything",
        {
            "blank": (
                "blank_image",
                {"width": 64, "height": 32, "color": {"r": 1, "g": 2, "b": 3, "a": 255}},
            ),
            "blur": ("img_blur", {"radius": 2}),
            "sum": ("add", {"a": 1, "b": 2}),
            "half": ("float_math", {"operation": "DIV", "a": 1, "b": 2}),
            "text": ("string_join_three", {"string_left": "a", "string_middle": "b", "string_right": "c"}),
            "words": ("string_collection", {"collection": ["a", "b"]}),
            "box": ("bounding_box", {"x_min": 1, "y_min": 2, "x_max": 3, "y_max": 4}),
            "loras": ("lora_collection_loader", {}),
            "decode": ("l2i", {"tiled": True}),
            "denoise": ("denoise_latents", {"scheduler": "euler", "cfg_scale": 6.5}),
            "batch": ("integer_batch", {"integers": [1, 2]}),
            "generator": ("integer_generator", {}),
        },
        ["blank.image -> blur.image"],
        [
            *(("blank", name) for name in ("width", "mode", "color", "board")),
            *(("blur", name) for name in ("image", "radius", "blur_type")),
            *(("sum", name) for name in ("a", "b")),
            *(("half", name) for name in ("operation", "a")),
            *(("text", name) for name in ("string_left", "string_right")),
            *(("denoise", name) for name in ("scheduler", "cfg_scale")),
            ("words", "collection"),
            ("loras", "loras"),
            ("decode", "tiled"),
            ("batch", "integers"),
            ("generator", "generator"),
        ],
        labels={("text", "string_left"): "Beginning", ("blank", "color"): "Background"},
        settings={("blank", "width"): {"type": "integer-field-config", "min": 16, "max": 512}},
        final=["blur"],
    )


def _lighthouse(client: InvokeAIClient) -> dict[str, Any]:
    """Return a workflow that names its model by the identifier of this server."""
    [record] = client.dnn_model_repo.list_models(name="tiny-sd1")
    identifier = {part: str(getattr(record, part)) for part in ("key", "hash", "name", "base", "type")}
    return _with_a_model(workflows.sd1(steps=2), **identifier)


def _with_a_model(document: dict[str, Any], key: str, **identifier: str) -> dict[str, Any]:
    changed = copy.deepcopy(document)
    [loader] = [node for node in changed["nodes"] if node["id"] == "model"]
    field = loader["data"]["inputs"]["model"]
    field["value"] = {**field.get("value", {}), "key": key, **identifier}
    return changed


_EVERYTHING: dict[str, Any] = {
    "width": 256,
    "color": "#102030",
    "board": "Lighthouses",
    "sum.a": 40,
    "operation": "MUL",
    "half.a": 0.5,
    "Beginning": "a lighthouse",
    "scheduler": "dpmpp_2m_k",
    "words.collection": ["x", "y"],
    "loras": [("tiny-lora-sd1", 0.5)],
    "tiled": False,
    "integers": [7, 8, 9],
    "generator": {"type": "integer_generator_arithmetic_sequence", "start": 1, "step": 2, "count": 3},
}


# --------------------------------------------------------------------------- pickles


def _clients(keeper: Keeper, url: str) -> None:
    keeper.keep(
        "client",
        InvokeAIClient.from_url(
            url,
            api_key=SECRETS["token"],
            headers={"X-Key": SECRETS["header"]},
            timeout=42,
            max_retries=1,
            verify_ssl=False,
        ),
    )
    keeper.keep(
        "client_behind_a_proxy",
        InvokeAIClient.from_url(f"https://someone:{SECRETS['password']}@invokeai.example/studio"),
    )
    keeper.keep(
        "client_with_credentials",
        AsyncInvokeAIClient("invokeai.example", 9191, email="me@example.org", password=SECRETS["password"]),
    )
    # Its own token is not kept, and the one of the reader's configuration is used.
    for name in ("client", "client_with_credentials", "client_behind_a_proxy"):
        keeper.expected[name].update(token=None, headers={}, credentials=None)
    keeper.keep("quick_client", QuickClient(InvokeAIClient.from_url(url)))


def _handles(keeper: Keeper, client: InvokeAIClient, document: dict[str, Any]) -> None:
    definition = WorkflowDefinition.from_dict(document)
    keeper.keep("definition", definition)
    root = load_workflow_json(document)
    keeper.keep("workflow_root", {"root": root, "nodes": list(root.iter_typed_nodes())})
    create = client.workflow_repo.create_workflow
    lighthouse = create(definition)
    lighthouse.set(positive_prompt="a lighthouse at dusk", steps=3, seed=11)
    lighthouse.set({"denoise.scheduler": "ddim"})
    keeper.keep("inputs", lighthouse.inputs)
    keeper.keep("input", lighthouse.get_input("positive_prompt"))
    keeper.keep("outputs", lighthouse.list_outputs())
    whole = create(everything())
    whole.set(_EVERYTHING)
    picture = create(pictures())
    picture.set(image=_png(1))
    submitted = create(workflows.add(20, 22))
    keeper.keep("submission", submitted.submit_sync())
    submitted.wait_for_completion_sync()
    # In one pickle, because each holds the schema of the server.
    handles = {"lighthouse": lighthouse, "everything": whole, "picture": picture, "submitted": submitted}
    keeper.keep("workflows", {**handles, "schema": client.schema()})
    keeper.files["requests"] = {name: request_facts(handles[name]) for name in ("lighthouse", "submitted")}
    keeper.keep("output_mappings", create(document).map_outputs_to_images(_item(client, document)))
    wf = create(_with_a_model(document, "tiny-sd1 of another server"))
    keeper.keep("model_changes", wf.sync_dnn_model())
    wf = create(document)
    plan = wf.sweep_plan({"seed": [1, 2], "steps": "1-3 (+1)"}, values={"positive_prompt": "a lighthouse"})
    keeper.keep("sweep_plan", plan)
    rows = [{"seed": 7, "positive_prompt": "dusk"}, {"seed": 8, "positive_prompt": "dawn"}]
    keeper.keep("sweep_plan_of_rows", wf.sweep_rows_plan(rows))
    keeper.keep("sweep_plan_with_models", wf.sweep_plan(model=["tiny-sd1"], repeat=2, seed=5))
    keeper.keep(
        "dynamic_prompts", DynamicPrompts("a {red|blue} lighthouse", most=7, combinatorial=False, seed=3)
    )


def _item(client: InvokeAIClient, document: dict[str, Any]) -> Mapping[str, Any]:
    return client.workflow_repo.create_workflow(document).run(seed=31, progress=False).item


def _runs(keeper: Keeper, client: InvokeAIClient, document: dict[str, Any]) -> None:
    wf = client.workflow_repo.create_workflow(document)
    run = wf.run(positive_prompt="a lighthouse at dusk", seed=11, progress=False)
    keeper.keep("run", run)
    keeper.keep("results", run.outputs)
    keeper.keep("events", list(run.events()))
    fetched = client.image_repo.image(client.image_repo.upload(_png(8), filename="x.png").image_name)
    content = fetched.bytes()
    keeper.keep("images", [run.images[0], fetched, client.image_repo.image("no-such.png")])
    keeper.files["fetched"] = facts(content)
    keeper.keep("run_not_fetched", client.run(run.item_id))
    statuses = [run.status]

    failing = client.workflow_repo.create_workflow(division()).start(b=0)
    failing.wait()
    keeper.keep("run_failed", failing)
    keeper.keep("events_of_a_failure", list(failing.events()))

    sums = client.workflow_repo.create_workflow(workflows.add())
    keeper.keep("runs", [one for one in sums.start_batch(a=5, runs=2) if one.wait()])
    turns = client.workflow_repo.create_workflow(numbers()).run(progress=False)
    keeper.keep("run_with_iterations", turns)
    with _library(client) as save:
        inner = save(returning())
        outer = workflow("Outer", {"call": ("call_saved_workflow", {"workflow_id": inner})}, [])
        keeper.keep("run_that_calls", client.workflow_repo.create_workflow(outer).run(progress=False))

    with _paused(client):
        pending, canceled = sums.start(a=6), sums.start(a=7)
        canceled.cancel()
        canceled.wait()
        pending.refresh()
        keeper.keep("run_pending", pending)
        keeper.keep("run_canceled", canceled)
        job = client.queue_repo.get_queue().get_item(pending.item_id)
        keeper.keep("jobs", [job, JobHandle.from_client_ids(client, "default", _GONE)])
        keeper.keep("queue", client.queue_repo.get_queue("default"))
        statuses += [failing.status, canceled.status, pending.status]
        pending.cancel()
    keeper.keep("statuses", statuses)


def _sweeps(keeper: Keeper, client: InvokeAIClient, document: dict[str, Any]) -> None:
    folder = keeper.folder / "manifests"
    folder.mkdir()
    wf = client.workflow_repo.create_workflow(document)
    wf.set(positive_prompt="a lighthouse at dawn")
    sweep = wf.sweep(seed=[1, 2], steps=[1, 2], manifest=folder / "complete.jsonl")
    sweep.wait(progress=False)
    keeper.keep("sweep", sweep)
    template = "{positive_prompt}/{seed}-{steps}-{index:03}.png"
    with tempfile.TemporaryDirectory() as there:
        saved = [path.relative_to(there).as_posix() for path in sweep.save(f"{there}/{template}")]
    keeper.files["saved"] = {"template": template, "paths": saved}
    keeper.keep("sweep_to_resume", Sweep.resume(folder / "complete.jsonl", client))
    resumed = Sweep.resume(folder / "complete.jsonl", client)
    resumed.wait(progress=False)
    keeper.keep("sweep_resumed", resumed)

    failing = client.workflow_repo.create_workflow(division()).sweep(
        b=[1, 0, 2], manifest=folder / "failed.jsonl"
    )
    failing.wait(progress=False)
    keeper.keep("sweep_failed", failing)

    name = client.image_repo.upload(_png(2), filename="x.png").image_name
    wf = client.workflow_repo.create_workflow(pictures())
    wf.set(board="none")
    with_models = wf.sweep(
        image=[name, _png(4)],
        vae_model=["tiny-vae-sd1", "tiny-vae-sdxl"],
        manifest=folder / "pictures-and-models.jsonl",
    )
    with_models.wait(progress=False)
    keeper.keep("sweep_of_pictures_and_models", with_models)

    sums = client.workflow_repo.create_workflow(workflows.add())
    with _paused(client):
        pending = sums.sweep(a=range(3), mode="zip")
        keeper.keep("sweep_pending", pending)
        pending.cancel()
        background = sums.sweep(a=range(4), background=True)
        client.close()  # ends the sending task
        keeper.keep("sweep_partly_sent", background)
        background.cancel()
    slow = client.workflow_repo.create_workflow(workflows.sd1(steps=1000, size=256))
    running = slow.sweep(seed=[1], values={"model": "tiny-sd1"})
    for event in running.runs[0].events():
        if event.get("fraction"):
            break
    client.close()  # so that it no longer changes
    keeper.keep("sweep_running", running)
    running.cancel()
    manifests = ("complete", "failed", "pictures-and-models")
    keeper.files["manifests"] = {
        f"{name}.jsonl": facts(Sweep.resume(folder / f"{name}.jsonl", client).wait(progress=False))
        for name in manifests
    }


def _things(keeper: Keeper, client: InvokeAIClient) -> None:
    board = client.board_repo.create_board("Lighthouses")
    board.upload_image_data(_png(5), "dusk.png")
    board.refresh()
    keeper.keep("board", board)
    keeper.keep("board_uncategorized", client.board_repo.get_uncategorized_handle())
    keeper.keep("board_repository", client.board_repo)
    keeper.keep("image_repository", client.image_repo)
    keeper.keep("model_repository", client.dnn_model_repo)
    keeper.keep("queue_repository", client.queue_repo)
    keeper.keep("workflow_repository", client.workflow_repo)
    job = _installation(client, "tiny-lora-sd1")
    keeper.keep("install_job", job)
    keeper.keep("install_events", list(job.events()))
    kinds = [kind for kind in vars(install_events).values() if isinstance(kind, type)]
    kinds = [kind for kind in kinds if issubclass(kind, install_events.InstallEvent)]
    keeper.keep("install_events_of_each_kind", [kind(job.info) for kind in kinds])
    again = client.dnn_model_repo.install_model(str(job.info.source))
    again.wait()
    keeper.keep("install_job_for_nothing", again)
    keeper.keep("node_template", client.schema()["add"])
    keeper.keep("answer", client.request("GET", "/api/v1/app/version"))


def _installation(client: InvokeAIClient, name: str) -> ModelInstJobHandle:
    """The job that installed a model. If the server's list was pruned, the model is installed again, where it is."""
    repo = client.dnn_model_repo
    jobs = [job for job in repo.list_install_jobs() if _installs(job, name)]
    if jobs:
        return jobs[-1]
    model = next(model for model in repo.list_models() if model.name == name)
    repo.delete_model(model.key)
    job = repo.install_model(str(model.path))
    job.wait_until(60)
    return job


def _installs(job: Any, name: str) -> bool:
    return str((job.info.config_out or {}).get("name")) == name


def _records(keeper: Keeper, client: InvokeAIClient) -> None:
    queue = client.queue_repo
    job = next(job for job in reversed(queue.items()) if job.status is models.JobStatus.COMPLETED)
    assert job.batch_id is not None
    found = {
        "images": client.image_repo.list_images(limit=2),
        "image_with_metadata": client.image_repo.get_image(
            client.image_repo.list_images(limit=1)[0].image_name
        ),
        "jobs": [queue.item(int(job.id)), *queue.items([int(job.id)])],
        "models": [client.dnn_model_repo.list_models(name=name)[0] for name in ("tiny-sd1", "tiny-lora-sd1")],
        "starters": client.dnn_model_repo.list_starter_models()[:2],
        "boards": client.board_repo.list_boards(include_uncategorized=True),
        "queue": queue.status(),
        "batch": queue.batch_status(job.batch_id),
        "destination": queue.destination_status("gallery"),
        "processor": [queue.pause(), queue.resume()],
        "cache": client.dnn_model_repo.get_stats(),
        "library": client.workflow_repo.list_workflows(categories=["default"])[:1],
    }
    for name, value in found.items():
        keeper.keep(f"record_{name}", value)
    payload = {"item_id": 7, "session_id": "s", "status": "in_progress", "timestamp": 1_760_000_000}
    node = {"invocation": {"id": "p", "type": "add"}, "invocation_source_id": "sum", "result": {"value": 3}}
    keeper.keep(
        "record_others",
        [
            models.IvkUser.from_api_response(
                {
                    "user_id": "u-1",
                    "email": "me@example.org",
                    "is_admin": True,
                    "created_at": "2026-01-31 12:00:00.123",
                }
            ),
            models.EnqueueResult.from_api_response(
                {"batch": {"batch_id": "b-1"}, "enqueued": 2, "requested": 3, "item_ids": [9, 8]}
            ),
            models.FoundModel(path="models/charcoal.safetensors", is_installed=True),
            models.IvkImage.from_api_response(
                {"image_name": "x.png", "image_category": "new word", "more": [1]}
            ),
            SessionEvent.from_event("queue_item_status_changed", payload),
            models.InvocationEvent.from_event("invocation_complete", {**payload, **node}),
            ModelInstallConfig(name="Charcoal", base="sd-1", trigger_phrases=["charcoal"]),
        ],
    )
    kinds = [getattr(models, name) for name in models.__all__ if name != "OpenEnum"]
    kinds = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, models.OpenEnum)]
    keeper.keep("enums", [list(kind) for kind in (*kinds, HFLoginStatus, ivk_fields.SchedulerName)])


def _errors(keeper: Keeper, client: InvokeAIClient) -> None:
    info = models.ModelInstJobInfo(id=3, status="error", source="x", error="no model", error_reason="Unknown")
    item = {"item_id": 41, "batch_id": "b-1"}
    options: dict[str, dict[str, Any]] = {
        "UnknownNodeError": {"node_types": ["new_node"]},
        "UnknownInputError": {"name": "sted", "candidates": ["steps", "seed"]},
        "AmbiguousInputError": {"name": "a", "candidates": ["one.a", "two.a"]},
        "NotReadyError": {"findings": ["Sum: a is missing."]},
        "UnknownNameError": {"name": "Lighthuose", "candidates": ["Lighthouse"]},
        "TransferError": {
            "failed": {"x.png": errors.NotFoundError(404, {"detail": "none"}, "x.png is gone.")},
            "done": {"y.png": Path("out/y.png")},
        },
        "ModelInstallTimeout": {"last_info": info, "timeout": 2.5},
        "ModelInstallJobFailed": {"info": info},
        "RunFailedError": {
            **item,
            "node_id": "quotient",
            "node_label": "Quotient",
            "error_type": "ZeroDivisionError",
            "error_message": "integer division or modulo by zero",
            "error_traceback": "Traceback ...",
        },
        **{name: {"log_tail": "the end"} for name in ("LocalServerError", "InstallError", "StartError")},
    }
    made: dict[str, Any] = {}
    for name, kind in sorted(vars(errors).items()):
        if not (isinstance(kind, type) and issubclass(kind, errors.InvokeAIClientError)):
            continue
        make: Any = kind
        if issubclass(kind, errors.APIRequestError) and not issubclass(kind, errors.UsageError):
            error = make(
                418, {"detail": ["why"]}, f"{name}.", method="GET", path="/api/v1/x", request_id="r-1"
            )
            error.retry_after = 1.5
        elif issubclass(kind, errors.RunError):
            error = make(f"{name}.", **options.get(name, item))
        elif name in ("ModelInstallTimeout", "ModelInstallJobFailed"):
            error = make(*options[name].values(), f"{name}.")
        else:
            error = make(f"{name}.", **options.get(name, {}))
        if isinstance(error, errors.EnqueueUnknownError):
            error.batch_id = "b-1"
        made[name] = error
    keeper.keep("errors", made)
    keeper.keep("errors_caught", list(_caught(client)))


def _caught(client: InvokeAIClient) -> Iterator[errors.InvokeAIClientError]:
    """Go through errors that the client raised itself."""
    wf = client.workflow_repo.create_workflow(workflows.add())
    failing = client.workflow_repo.create_workflow(division())
    calls = [
        lambda: client.image_repo.get_image("no-such.png"),
        lambda: client.run(_GONE),
        lambda: wf.set(sted=3),
        lambda: wf.set(a="many", b=1.5),
        lambda: failing.start(b=0).result(),
        lambda: client.workflow_repo.create_workflow(pictures()).start(),
        lambda: client.image_repo.download_images(["no-such.png"], Path(tempfile.gettempdir())),
        lambda: wf.run(a="1", progress=False),
        lambda: InvokeAIClient.from_url("http://127.0.0.1:9", max_retries=0).version(),
    ]
    for call in calls:
        try:
            call()
        except errors.InvokeAIClientError as error:
            yield error
        else:
            raise AssertionError("There should have been an error.")


_VALUES: dict[str, Any] = {
    "IvkBooleanField": True,
    "IvkBoundingBoxField": (1, 2, 3, 4),
    "IvkColorField": "#102030",
    "IvkIntegerField": 7,
    "IvkFloatField": 0.5,
    "IvkFloatOrListField": [0.5, 1.5],
    "IvkCollectionField": [1, "two", {"three": 3.0}],
    "IvkEnumField": "DIV",
    "IvkGeneratorField": {"type": "integer_generator_arithmetic_sequence", "start": 1, "step": 2, "count": 3},
    "IvkSchedulerField": "DPM++ 2M Karras",
    "IvkColorModeField": "RGB",
    "IvkInterpolationField": "bicubic",
    "IvkLoRAField": ("charcoal", 0.5),
    "IvkUNetField": {"unet": {"key": "k"}},
    "IvkCLIPField": {"clip": {"key": "k"}},
    "IvkTransformerField": {"transformer": {"key": "k"}},
    "IvkVAEField": {"vae": {"key": "k"}},
    "IvkAnyField": {"any": [1, 2]},
    "IvkMetadataField": {"seed": 7},
    "IvkFluxReduxConditioningField": {"conditioning": {"tensor_name": "t"}},
    "IvkFluxFillConditioningField": {"image": {"image_name": "x.png"}, "mask": {"tensor_name": "t"}},
    "IvkFluxKontextConditioningField": {"image": {"image_name": "x.png"}},
}
_IDENTIFIER = {"key": "k-1", "hash": "blake3:1", "name": "tiny", "base": "sd-1", "type": "main"}


def _fields(keeper: Keeper) -> None:
    """Keep a field of each kind: empty, with a value that was assigned, with one that a workflow came with."""
    kinds = [getattr(ivk_fields, name) for name in ivk_fields.__all__]
    kinds = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, ivk_fields.IvkField)]
    found: dict[str, list[Any]] = {}
    for kind in kinds:
        made = [kind(label="The label", node_label="The node")]
        if issubclass(kind, ivk_fields.IvkModelIdentifierField):
            # One to which a model was assigned cannot be pickled.
            made.append(kind.from_api_format(_IDENTIFIER))
        else:
            made.append(kind(_VALUES.get(kind.__name__, "a name"), label="The label"))
            made.append(kind.from_api_format(made[1].value))
        found[kind.__name__] = made
    with tempfile.TemporaryDirectory() as there:
        path = Path(there) / "dusk.png"
        path.write_bytes(_png(6))
        found["images"] = [ivk_fields.IvkImageField(path), ivk_fields.IvkImageField(_png(6))]
    found["others"] = [
        ivk_fields.IvkIntegerField(8, minimum=0, maximum=64, multiple_of=8),
        ivk_fields.IvkStringField("abc", min_length=1, max_length=5),
        ivk_fields.IvkBoardField("auto"),
        ivk_fields.IvkBoardField({"board_id": "b-1"}),
    ]
    keeper.keep("fields", found)


def _local_server(keeper: Keeper, root: Path, version: str) -> None:
    server = LocalServer.find(root)
    assert server is not None
    keeper.keep("server_state", server.state)
    installation = installed(version)
    assert installation is not None
    keeper.keep("installation", installation)
    tiny = make_tiny_models(installation)
    keeper.keep("tiny_models", tiny)
    keeper.files["server"] = {
        "root": str(root),
        "url": server.url,
        "port": server.port,
        "pid": server.pid,
        "version": version,
        "tiny_models": tiny.names,
        "details": dict(installation.details),
    }
    for path in (cache_base() / "running").glob("*.json"):
        if json.loads(path.read_text(encoding="utf-8"))["root"] == str(root):
            _copy(path, keeper.folder / "running")
    _copy(installation.folder / "ivk-complete.json", keeper.folder / "servers" / version)
    _copy(tiny.folder / "tiny-models.json", keeper.folder / "tiny-models")


# --------------------------------------------------------------------------- files


def _schemas(keeper: Keeper, client: InvokeAIClient) -> None:
    folder = keeper.folder / "schemas"
    with _environment(INVOKEAI_CLIENT_CACHE=str(folder)):
        schema = client.schema(refresh=True)
    keeper.files["schemas"] = facts(schema)
    paths = ("/api/v1/app/version", "/api/v2/models/")
    keeper.files["responses"] = {path: client.request("GET", path).json() for path in paths}


def _killed_sweep(keeper: Keeper, client: InvokeAIClient) -> None:
    """Kill the process of a sweep, and cut off half of the last line, as if that had been written just then."""
    folder = keeper.folder / "manifests"
    document = workflows.add()
    with tempfile.TemporaryDirectory() as there:
        (Path(there) / "sum.json").write_text(json.dumps(document))
        command = [sys.executable, "-c", KILLED, client.url]
        with subprocess.Popen(command, cwd=there, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            for _ in range(3):
                process.stdout.readline()
            process.send_signal(signal.SIGKILL)
        lines = (Path(there) / "killed.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    last = max(index for index, line in enumerate(lines) if json.loads(line)["kind"] == "run")
    cut = lines[last][: len(lines[last]) // 2]
    (folder / "killed.jsonl").write_text("".join([*lines[:last], cut]), encoding="utf-8")
    ended = [json.loads(line) for line in lines[:last] if json.loads(line)["kind"] == "run"]
    keeper.files["killed"] = {
        "values": [{"a": value} for value in range(100, 108)],
        "ended": {str(line["run"]): line["item"] for line in ended},
        "inputs": {"a": 1, "b": 2},
    }
    client.queue_repo.wait_until_idle(60)


def _index_map(keeper: Keeper, client: InvokeAIClient, document: dict[str, Any]) -> None:
    path = keeper.folder / "index-map.json"
    keeper.files["index_map"] = client.workflow_repo.create_workflow(document).export_input_index_map(path)


def _modules(keeper: Keeper, client: InvokeAIClient) -> None:
    """Generate modules. Their names end in ``.txt`` so that they are not mistaken for tests."""
    folder = keeper.folder / "modules"
    folder.mkdir()
    (folder / "sum.json").write_text(json.dumps(workflows.add(), indent=1) + "\n", encoding="utf-8")
    ivk = [str(Path(sys.executable).with_name("ivk")), "codegen", "sum.json", "--url", client.url]
    for name, options in {"sums.py": [], "sums_async.py": ["--async"]}.items():
        subprocess.run([*ivk, "-o", name, *options], cwd=folder, check=True, capture_output=True)
        (folder / name).rename(folder / f"{name}.txt")


def _export(keeper: Keeper, client: InvokeAIClient) -> None:
    """Export the images of a board, and keep the server's records of them."""
    folder = keeper.folder / "export"
    board = client.board_repo.create_board("Exported")
    image = board.upload_image_data(_png(7), "x.png")
    client.image_repo.star(image.image_name)
    ivk = [str(Path(sys.executable).with_name("ivk")), "images", "export", "--url", client.url]
    subprocess.run([*ivk, "--board", board.board_id, str(folder)], check=True, capture_output=True)
    params = {"board_id": board.board_id, "is_intermediate": False, "limit": 100}
    listing = client.request("GET", "/api/v1/images/", params=params).json()
    boards = client.request("GET", "/api/v1/boards/", params={"all": True}).json()
    keeper.files["export"] = {"board": board.board_id, "image": image.image_name}
    keeper.files["responses"] |= {
        "/api/v1/images/": listing,
        "/api/v1/boards/": boards,
        f"/api/v1/boards/{board.board_id}": next(one for one in boards if one["board_id"] == board.board_id),
    }


def _configuration(keeper: Keeper) -> None:
    profiles = {
        "default": Profile("default", "http://localhost:9090"),
        "studio": Profile(
            "studio", "https://studio.example.org/invoke", SECRETS["token"].upper(), "me@example.org"
        ),
        'odd "name"': Profile('odd "name"', "http://[::1]:9191", 'quo"te\\'),
    }
    path = keeper.folder / "config.toml"
    with _environment(INVOKEAI_CONFIG=str(path)):
        for profile in profiles.values():
            keep_profile(profile)
    keeper.files["profiles"] = {
        name: {"url": profile.url, "token": profile.token, "email": profile.email}
        for name, profile in profiles.items()
    }


# --------------------------------------------------------------------------- the asynchronous classes


async def _asynchronous(keeper: Keeper, url: str, document: dict[str, Any]) -> None:
    async with AsyncInvokeAIClient.from_url(url, api_key=SECRETS["token"]) as client:
        wf = await client.workflow_repo.create_workflow(document)
        wf.set(positive_prompt="a lighthouse by night", seed=21)
        keeper.keep("async_workflow", wf)
        run = await wf.run(progress=False)
        keeper.keep("async_run", run)
        keeper.keep("async_images", run.images)
        sums = await client.workflow_repo.create_workflow(workflows.add())
        sweep = await sums.sweep(a=[1, 2, 3])
        await sweep.wait(progress=False)
        keeper.keep("async_sweep", sweep)
        await client.queue_repo.pause()
        pending = await sums.start(a=8)
        keeper.keep("async_run_pending", pending)
        queue = client.queue_repo.get_queue()
        keeper.keep("async_queue", queue)
        keeper.keep("async_job", await queue.get_item(pending.item_id))
        board = await client.board_repo.create_board("By night")
        keeper.keep("async_board", board)
        await client.board_repo.delete_board(board.board_id)
        keeper.keep("async_install_job", (await client.dnn_model_repo.list_install_jobs())[0])
        areas = ("board_repo", "dnn_model_repo", "image_repo", "queue_repo", "workflow_repo")
        parts = {name: getattr(client, name) for name in areas}
        keeper.keep("async_areas", {"client": client, "run": pending, **parts})
        keeper.expected["async_areas"]["client"].update(token=None)
        await pending.cancel()
        await client.queue_repo.resume()
        await client.image_repo.delete(run.outputs.image_names(intermediate=True))


# --------------------------------------------------------------------------- small helpers


def _png(shade: int) -> bytes:
    buffer = io.BytesIO()
    Pillow.new("RGB", (16, 16), (shade, shade * 10, 200)).save(buffer, format="PNG")
    return buffer.getvalue()


def _copy(path: Path, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, folder / path.name)


@contextmanager
def _environment(**variables: str) -> Generator[None]:
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def _paused(client: InvokeAIClient) -> Generator[None]:
    client.queue_repo.pause()
    try:
        yield
    finally:
        client.queue_repo.resume()


@contextmanager
def _library(client: InvokeAIClient) -> Generator[Any]:
    saved: list[str] = []

    def save(document: dict[str, Any]) -> str:
        saved.append(client.workflow_repo.upload_workflow(WorkflowDefinition.from_dict(document)))
        return saved[-1]

    yield save
    for workflow_id in saved:
        client.workflow_repo.delete_workflow(workflow_id)


@contextmanager
def _nothing_left(client: InvokeAIClient) -> Generator[None]:
    """Delete the boards and images that were created in the meantime."""

    def there() -> tuple[set[str], set[str]]:
        images = client.image_repo.list_images(is_intermediate=None)
        return {image.image_name for image in images}, {
            board.board_id for board in client.board_repo.list_boards()
        }

    images, boards = there()
    try:
        yield
    finally:
        now_images, now_boards = there()
        client.image_repo.delete(sorted(now_images - images))
        for board_id in now_boards - boards:
            client.board_repo.delete_board(board_id)


if __name__ == "__main__":
    record(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
