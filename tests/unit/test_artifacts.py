"""Files written by earlier versions can be read: pickles, manifests, schemas, settings and exports.

The artifacts are in ``tests/data/artifacts``. Its README explains how to record them for another version.
"""

from __future__ import annotations

import ast
import importlib.util
import inspect
import json
import os
import pickle
import shutil
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from artifacts import Artifacts, differences, facts, folders, request_facts
from command import Command, ivk_command
from replay import Replay, lead, replaying

import invokeai_py_client
from invokeai_py_client import (
    AsyncImage,
    AsyncInvokeAIClient,
    AsyncRun,
    AsyncSweep,
    AsyncWorkflowHandle,
    BoardHandle,
    Image,
    InvokeAIClient,
    JobStatus,
    LocalServer,
    Run,
    Sweep,
    WorkflowHandle,
)
from invokeai_py_client.errors import (
    InvokeAIClientError,
    RunCanceledError,
    RunFailedError,
    RunNotFinishedError,
    ServerUnreachableError,
)
from invokeai_py_client.schema.cache import fingerprint
from invokeai_py_client.server import install, install_tiny_models, installed

__all__ = ["ivk_command"]

# The documents of servers are too large to record. This one has no node types, so they come from the cache.
DOCUMENT: dict[str, Any] = {"info": {"title": "recorded"}}
RECORDED = [Artifacts(folder) for folder in folders()]
PICKLES = [(artifacts, name) for artifacts in RECORDED for name in artifacts.expected["pickles"]]


@pytest.fixture(params=RECORDED, ids=lambda artifacts: artifacts.folder.name)
def artifacts(request: pytest.FixtureRequest) -> Artifacts:
    """The artifacts of one version."""
    return request.param


@pytest.fixture
def replay(artifacts: Artifacts, monkeypatch: pytest.MonkeyPatch) -> Iterator[Replay]:
    """A server that replays the recorded responses under the recorded URL."""
    with replaying({**artifacts.expected["responses"], "/openapi.json": DOCUMENT}) as server:
        lead(monkeypatch, artifacts.expected["about"]["url"], server.url)
        yield server


@pytest.fixture
def schema_cache(artifacts: Artifacts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The recorded schema cache, marked as written by the current version for the replayed server's document."""
    folder = tmp_path / "schemas"
    folder.mkdir()
    about = artifacts.expected["about"]
    monkeypatch.setattr(invokeai_py_client, "__version__", about["version"])
    mark = fingerprint(about["url"], about["server"], json.dumps(DOCUMENT).encode())
    [recorded] = artifacts.path("schemas").iterdir()
    shutil.copy(recorded, folder / f"{mark}{recorded.suffix}")
    monkeypatch.setenv("INVOKEAI_CLIENT_CACHE", str(folder))
    return folder


# --------------------------------------------------------------------------- pickles


def test_artifacts_exist() -> None:
    assert len(PICKLES) >= 60


@pytest.mark.parametrize(
    ("artifacts", "name"), PICKLES, ids=[f"{one.folder.name}-{name}" for one, name in PICKLES]
)
def test_pickle_has_its_values(artifacts: Artifacts, name: str) -> None:
    loaded = artifacts.load(name)
    assert differences(artifacts.expected["pickles"][name], facts(loaded), name) == []
    again = pickle.loads(pickle.dumps(loaded))  # pickling again keeps the values
    assert differences(facts(loaded), facts(again), name) == []


def test_artifacts_contain_no_secrets(artifacts: Artifacts) -> None:
    assert artifacts.secrets() == []


def test_unpickled_client_uses_the_environment_token(
    artifacts: Artifacts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INVOKEAI_TOKEN", "the reader's")
    monkeypatch.setenv("INVOKEAI_URL", artifacts.expected["about"]["url"])
    client: InvokeAIClient = artifacts.load("client")
    assert type(client) is InvokeAIClient
    assert (client.url, client.settings.token) == (artifacts.expected["about"]["url"], "the reader's")
    monkeypatch.setenv("INVOKEAI_URL", "http://invokeai.example:9191")
    other: AsyncInvokeAIClient = artifacts.load("client_with_credentials")
    assert type(other) is AsyncInvokeAIClient
    assert (other.url, other.settings.token) == ("http://invokeai.example:9191", "the reader's")


def test_unpickled_client_connects_to_its_server(artifacts: Artifacts, replay: Replay) -> None:
    version = artifacts.expected["about"]["server"]
    with artifacts.load("client") as client:
        assert client.version() == version
        assert client.board_repo is client.board_repo
        boards = [board.board_name for board in client.board_repo.list_boards()]
    assert {"Lighthouses", "Exported"} <= set(boards)
    repository = artifacts.load("board_repository")
    assert [board.board_name for board in repository.list_boards()] == boards
    handle = repository.get_board_handle(artifacts.expected["export"]["board"])
    assert (type(handle), handle.board_name) == (BoardHandle, "Exported")


async def test_unpickled_async_repositories_share_their_client(artifacts: Artifacts, replay: Replay) -> None:
    areas = artifacts.load("async_areas")
    async with areas["client"]:  # closes the connections
        boards = await areas["board_repo"].list_boards()
    assert {"Lighthouses", "Exported"} <= {board.board_name for board in boards}


def test_unpickled_objects_have_public_classes(artifacts: Artifacts) -> None:
    run: Run = artifacts.load("run")
    assert type(run) is Run
    assert [type(image) for image in run.images] == [Image]
    sweep: Sweep = artifacts.load("sweep")
    assert type(sweep) is Sweep
    assert {type(one) for one in sweep.runs} == {Run}
    assert sweep[-1] is sweep.runs[-1]
    assert sweep.index(sweep.runs[2]) == 2
    handles = artifacts.load("workflows")
    assert type(handles["lighthouse"]) is WorkflowHandle
    images = artifacts.load("images")
    assert [type(image) for image in images] == [Image] * 3
    assert type(artifacts.load("board")) is BoardHandle


def test_unpickled_async_objects_have_async_classes(artifacts: Artifacts) -> None:
    run: AsyncRun = artifacts.load("async_run")
    assert type(run) is AsyncRun
    assert [type(image) for image in run.images] == [AsyncImage]
    sweep: AsyncSweep = artifacts.load("async_sweep")
    assert type(sweep) is AsyncSweep
    assert {type(one) for one in sweep.runs} == {AsyncRun}
    assert type(artifacts.load("async_workflow")) is AsyncWorkflowHandle


@pytest.mark.parametrize("name", ["run", "async_run", "board", "async_board", "definition"])
def test_copies_of_an_object_are_equal(artifacts: Artifacts, name: str) -> None:
    one, other = artifacts.load(name), artifacts.load(name)
    assert one is not other
    assert one == other
    assert hash(one) == hash(other)


# --------------------------------------------------------------------------- use of objects without a server


def test_finished_run_has_its_results(artifacts: Artifacts) -> None:
    run: Run = artifacts.load("run")
    assert run.wait() == run.status
    assert run.result().of("decode")[0].image_names == (run.images[0].name,)
    assert run.outputs == artifacts.load("results")
    assert run.node_label("decode") == "decode"
    seen: list[Any] = []
    run.wait(on_event=seen.append)
    assert seen == list(run.events()) == artifacts.load("events")
    assert seen[-1]["status"] is JobStatus.COMPLETED


async def test_finished_async_run_has_its_results(artifacts: Artifacts) -> None:
    run: AsyncRun = artifacts.load("async_run")
    assert await run.wait() == run.status
    events = [event async for event in run.events()]
    assert events[-1]["status"] is JobStatus.COMPLETED
    assert {event.get("node_id") for event in events} >= {"model", "denoise", "decode"}
    assert (await run.result()).image_names() == (run.images[0].name,)


def test_unsuccessful_runs_raise(artifacts: Artifacts) -> None:
    failed: Run = artifacts.load("run_failed")
    with pytest.raises(RunFailedError, match="division by zero") as caught:
        failed.result()
    error = caught.value
    assert (error.node_id, error.error_type, error.item_id) == (
        "quotient",
        "ZeroDivisionError",
        failed.item_id,
    )
    assert "Traceback" in (error.error_traceback or "")
    with pytest.raises(RunCanceledError):
        artifacts.load("run_canceled").raise_if_failed()
    with pytest.raises(RunNotFinishedError):
        _ = artifacts.load("run_pending").images


def test_run_with_a_called_workflow_has_its_results(artifacts: Artifacts) -> None:
    run: Run = artifacts.load("run_that_calls")
    assert run.outputs.values("call") == [{"total": 3}]
    [call] = run.outputs.called
    assert call.results.values("sum") == [3]
    turns: Run = artifacts.load("run_with_iterations")
    assert turns.outputs.values("sum") == [10, 11, 12]


def test_unpickled_image_has_its_data(artifacts: Artifacts, tmp_path: Path) -> None:
    fetched: Image = artifacts.load("images")[1]
    assert facts(fetched.bytes()) == artifacts.expected["fetched"]
    saved = fetched.save(tmp_path / "picture.png")
    assert saved.read_bytes() == fetched.bytes()


def test_finished_sweep_has_its_runs(artifacts: Artifacts, tmp_path: Path) -> None:
    sweep: Sweep = artifacts.load("sweep")
    assert sweep.wait(progress=False) == sweep.runs
    assert list(sweep) == list(sweep.as_completed())
    assert {run.item_id for run in sweep} == {run.item_id for run in sweep.runs}
    assert [dict(run.inputs)["seed"] for run in sweep.runs] == [1, 2, 1, 2]
    # Existing files are not downloaded again, so file names must not change.
    saved = artifacts.expected["saved"]
    for name in saved["paths"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"there already")
    paths = sweep.save(f"{tmp_path}/{saved['template']}")
    assert [path.relative_to(tmp_path).as_posix() for path in paths] == saved["paths"]


async def test_finished_async_sweep_has_its_runs(artifacts: Artifacts) -> None:
    sweep: AsyncSweep = artifacts.load("async_sweep")
    assert await sweep.wait(progress=False) == sweep.runs
    assert [run.outputs.values("sum") async for run in sweep] == [[3], [4], [5]]


def test_sweep_reports_its_failed_run(artifacts: Artifacts) -> None:
    sweep: Sweep = artifacts.load("sweep_failed")
    assert [dict(run.inputs)["b"] for run in sweep.failed] == [0]
    errors = [record["error"] for record in sweep.to_records()]
    assert errors == [None, "ZeroDivisionError: division by zero", None]


def test_unpickled_handle_makes_the_same_request(artifacts: Artifacts) -> None:
    handles = artifacts.load("workflows")
    for name, expected in artifacts.expected["requests"].items():
        assert differences(expected, facts(request_facts(handles[name])), name) == []


def test_unpickled_handle_accepts_other_values(artifacts: Artifacts) -> None:
    wf: WorkflowHandle = artifacts.load("workflows")["lighthouse"]
    wf.set(positive_prompt="dawn", seed=99)
    nodes = wf.enqueue_request(validate=False)["batch"]["graph"]["nodes"]
    assert (nodes["positive"]["prompt"], nodes["noise"]["seed"]) == ("dawn", 99)
    assert nodes["denoise"]["scheduler"] == "ddim"  # set before pickling
    assert artifacts.load("workflows")["lighthouse"].get_input_value("seed").value == 11
    plan = wf.sweep_plan(steps="1-5 (+2)")
    assert [point["steps"] for point in plan.points()] == [1, 3, 5]
    with pytest.raises(InvokeAIClientError):
        wf.set(steps="many")


async def test_unpickled_async_handle_accepts_other_values(artifacts: Artifacts) -> None:
    wf: AsyncWorkflowHandle = artifacts.load("async_workflow")
    wf.set(positive_prompt="dawn")
    nodes = (await wf.enqueue_request(validate=False))["batch"]["graph"]["nodes"]
    assert (nodes["positive"]["prompt"], nodes["noise"]["seed"]) == ("dawn", 21)


def test_unpickled_handle_has_its_submission(artifacts: Artifacts) -> None:
    wf: WorkflowHandle = artifacts.load("workflows")["submitted"]
    submission = artifacts.load("submission")
    assert wf.session_id == submission.session_id == submission["session_id"]
    assert wf.wait_for_completion_sync()["item_id"] == submission.item_ids[0]
    [mapping] = artifacts.load("output_mappings")
    assert mapping.image_names == mapping["image_names"]


def test_unpickled_fields_validate(artifacts: Artifacts) -> None:
    whole = artifacts.load("workflows")["everything"]
    for name, unfit in {"width": 8, "color": "no color", "operation": "ROOT", "integers": "many"}.items():
        with pytest.raises(InvokeAIClientError):
            whole.set({name: unfit})
    integer, text, *_ = artifacts.load("fields")["others"]
    for field, unfit in ((integer, 7), (integer, 72), (text, "abcdef")):
        with pytest.raises(InvokeAIClientError):
            field.value = unfit


# --------------------------------------------------------------------------- manifests


@pytest.mark.parametrize("name", ["complete.jsonl", "failed.jsonl", "pictures-and-models.jsonl"])
def test_finished_manifest_has_its_runs(artifacts: Artifacts, tmp_path: Path, name: str) -> None:
    path = Path(shutil.copy(artifacts.path("manifests") / name, tmp_path))
    sweep = Sweep.resume(path)  # nothing is left to run, so no server is needed
    runs = sweep.wait(progress=False)
    assert {type(run) for run in runs} == {Run}
    assert differences(artifacts.expected["manifests"][name], facts(runs), name) == []
    assert path.read_bytes() == (artifacts.path("manifests") / name).read_bytes()


async def test_finished_manifest_with_the_async_class(artifacts: Artifacts, tmp_path: Path) -> None:
    path = Path(shutil.copy(artifacts.path("manifests") / "complete.jsonl", tmp_path))
    runs = await AsyncSweep.resume(path).wait(progress=False)
    expected = artifacts.expected["manifests"]["complete.jsonl"]
    assert [run.item_id for run in runs] == [run["item_id"] for run in expected]
    assert [[image.name for image in run.images] for run in runs] == [run["images"] for run in expected]


def test_truncated_manifest_is_repaired(artifacts: Artifacts, tmp_path: Path) -> None:
    path = Path(shutil.copy(artifacts.path("manifests") / "killed.jsonl", tmp_path))
    before = path.read_bytes()
    assert not before.endswith(b"\n")
    sweep = Sweep.resume(path, InvokeAIClient("127.0.0.1", 9, max_retries=0))
    killed = artifacts.expected["killed"]
    assert (sweep.name, sweep.axes, sweep.queue_id, len(sweep)) == ("Sum", ("a",), "default", 8)
    assert [sweep.values(index) for index in range(8)] == killed["values"]
    assert path.read_bytes() == before[: before.rindex(b"\n") + 1]  # so that the next line is complete
    with pytest.raises(ServerUnreachableError):  # the state of the other runs has to be requested
        sweep.wait(progress=False)


def test_pickled_sweep_is_resumed(artifacts: Artifacts) -> None:
    sweep: Sweep = artifacts.load("sweep_to_resume")
    assert (
        differences(artifacts.expected["manifests"]["complete.jsonl"], facts(sweep.wait(progress=False)))
        == []
    )


# --------------------------------------------------------------------------- other files


def test_schema_cache_is_read(artifacts: Artifacts, replay: Replay, schema_cache: Path) -> None:
    with InvokeAIClient.from_url(artifacts.expected["about"]["url"]) as client:
        schema = client.schema()
    assert differences(artifacts.expected["schemas"], facts(schema)) == []
    assert replay.asked == ["/api/v1/app/version", "/openapi.json"]
    assert schema == artifacts.load("workflows")["schema"]
    assert len(list(schema_cache.iterdir())) == 1


def test_configuration_is_read(artifacts: Artifacts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = Path(shutil.copy(artifacts.path("config.toml"), tmp_path))
    path.chmod(0o600)
    monkeypatch.setenv("INVOKEAI_CONFIG", str(path))
    profiles = artifacts.expected["profiles"]
    for name, profile in profiles.items():
        client = InvokeAIClient.from_url(profile=name)
        assert (client.url, client.settings.token) == (profile["url"], profile["token"])
    assert InvokeAIClient.from_url().url == profiles["default"]["url"]
    assert InvokeAIClient.from_url(profiles["studio"]["url"]).settings.token == profiles["studio"]["token"]
    assert InvokeAIClient.from_url("https://studio.example.org").settings.token is None


def test_logout_removes_the_token_from_the_configuration(
    artifacts: Artifacts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ivk_command: Command
) -> None:
    path = Path(shutil.copy(artifacts.path("config.toml"), tmp_path))
    path.chmod(0o600)
    monkeypatch.setenv("INVOKEAI_CONFIG", str(path))
    assert ivk_command("logout", "--profile", "studio").code == 0
    for name, profile in artifacts.expected["profiles"].items():
        client = InvokeAIClient.from_url(profile=name)
        token = None if name == "studio" else profile["token"]
        assert (client.url, client.settings.token) == (profile["url"], token)


def test_index_map_is_unchanged(artifacts: Artifacts) -> None:
    wf: WorkflowHandle = artifacts.load("workflows")["lighthouse"]
    path, rows = artifacts.path("index-map.json"), artifacts.expected["index_map"]
    assert json.loads(path.read_text(encoding="utf-8")) == rows
    found = wf.verify_input_index_map(path)
    assert found == {"unchanged": rows, "moved": [], "missing": [], "new": []}


@pytest.mark.skipif(sys.platform != "linux", reason="processes are identified differently on other systems")
def test_state_file_of_a_running_server(
    artifacts: Artifacts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INVOKEAI_CLIENT_CACHE", str(tmp_path))
    server = artifacts.expected["server"]
    folder = tmp_path / "running"
    [recorded] = artifacts.path("running").iterdir()
    state = json.loads(recorded.read_text(encoding="utf-8"))
    assert state["process"].startswith(f"{server['pid']}@")
    folder.mkdir()
    shutil.copy(recorded, folder)
    assert LocalServer.find(server["root"]) is None  # that process is no longer running
    started = Path("/proc/self/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19]
    (folder / recorded.name).write_text(
        json.dumps({**state, "pid": os.getpid(), "process": f"{os.getpid()}@{started}"}), encoding="utf-8"
    )
    found = LocalServer.find(server["root"])
    assert found is not None
    assert found.is_running
    assert (found.url, found.port, found.version) == (server["url"], server["port"], server["version"])
    assert (str(found.root), found.pid, str(found.log_path)) == (server["root"], os.getpid(), state["log"])


def test_installed_server_is_not_installed_again(
    artifacts: Artifacts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INVOKEAI_CLIENT_CACHE", str(tmp_path))
    server = artifacts.expected["server"]
    folder = tmp_path / "servers" / server["version"]
    shutil.copytree(artifacts.path("servers") / server["version"], folder)
    python = replace(artifacts.load("installation"), folder=folder).python
    python.parent.mkdir()
    python.touch()
    assert installed(server["version"]) is not None
    said: list[str] = []
    found = install(server["version"], say=said.append)
    assert said == []
    assert (found.version, found.folder, dict(found.details)) == (
        server["version"],
        folder,
        server["details"],
    )


def test_tiny_models_are_known_by_their_folder(artifacts: Artifacts, replay: Replay) -> None:
    names = install_tiny_models(replay.url, artifacts.path("tiny-models"))
    assert names == artifacts.expected["server"]["tiny_models"]
    assert set(replay.asked) == {"/api/v2/models/"}  # they are already installed


def test_existing_export_is_not_repeated(
    artifacts: Artifacts, replay: Replay, tmp_path: Path, ivk_command: Command
) -> None:
    folder = tmp_path / "export"
    shutil.copytree(artifacts.path("export"), folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    url, board = artifacts.expected["about"]["url"], artifacts.expected["export"]["board"]
    done = ivk_command("images", "export", "--url", url, "--board", board, "--json", str(folder))
    assert done.code == 0, done.err
    counts = {key: done.objects[-1][key] for key in ("ok", "images", "new", "renewed", "there")}
    assert counts == {"ok": True, "images": 1, "new": 0, "renewed": 0, "there": 1}
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


@pytest.fixture
def modules(artifacts: Artifacts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the generated modules, made the working directory."""
    for path in artifacts.path("modules").iterdir():
        shutil.copy(path, tmp_path / path.name.removesuffix(".txt"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(("name", "options"), [("sums.py", []), ("sums_async.py", ["--async"])])
def test_generated_module_has_the_current_code(
    artifacts: Artifacts,
    replay: Replay,
    schema_cache: Path,
    modules: Path,
    ivk_command: Command,
    name: str,
    options: list[str],
) -> None:
    url = artifacts.expected["about"]["url"]
    done = ivk_command("codegen", "sum.json", "-o", f"new_{name}", *options, "--url", url)
    assert done.code == 0, done.err
    assert _code(modules / name) == _code(modules / f"new_{name}")


def _code(module: Path) -> str:
    """Return the code of a module without its docstrings, which may change."""
    tree = ast.parse(module.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.FunctionDef | ast.AsyncFunctionDef) and ast.get_docstring(node):
            del node.body[0]
    return ast.unparse(tree)


@pytest.mark.parametrize(("name", "is_async"), [("sums", False), ("sums_async", True)])
def test_generated_module_can_be_imported(modules: Path, name: str, is_async: bool) -> None:
    spec = importlib.util.spec_from_file_location(name, modules / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert inspect.iscoroutinefunction(module.sum) is is_async
    parameters = inspect.signature(module.sum).parameters
    assert [(one, parameters[one].default) for one in ("a", "b")] == [("a", 1), ("b", 2)]
