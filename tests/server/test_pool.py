"""A pool of two real servers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import workflows
from dask_cluster import DaskCluster, joined_pool
from PIL import Image as Pillow
from pool_servers import MODELS, TwoServers, batches, wait_until, waiting

from invokeai_py_client import AsyncInvokeAIClient, AsyncInvokeAIPool, InvokeAIClient, InvokeAIPool, Sweep
from invokeai_py_client.errors import (
    NotReadyError,
    RunCanceledError,
    ServerUnreachableError,
    UnknownNameError,
    UsageError,
)
from invokeai_py_client.models import JobStatus
from invokeai_py_client.server import TinyModels
from invokeai_py_client.server.health import free_port
from invokeai_py_client.sweep.manifest import read_manifest
from invokeai_py_client.transport.http import HttpTransport

SD1 = {"model": "tiny-sd1", "steps": 2}


@pytest.fixture
def pool(two_servers: TwoServers) -> Any:
    with InvokeAIPool(two_servers.urls, seconds=1.0) as pool:
        yield pool


@pytest.fixture(params=["here", pytest.param("on Dask", marks=pytest.mark.cluster)])
def either_pool(request: pytest.FixtureRequest, two_servers: TwoServers) -> Iterator[InvokeAIPool]:
    """A pool whose agents are in this process, and one whose agents are workers of a Dask cluster."""
    if request.param == "here":
        with InvokeAIPool(two_servers.urls, seconds=1.0) as pool:
            yield pool
        return
    cluster: DaskCluster = request.getfixturevalue("cluster")
    names = ("first", "second")
    for name, url in zip(names, two_servers.urls, strict=True):
        cluster.worker(name, "--url", url)
    with joined_pool(cluster, names) as pool:
        yield pool


def test_two_servers_share_forty_runs(
    either_pool: InvokeAIPool, two_servers: TwoServers, tmp_path: Path
) -> None:
    pool = either_pool
    wf = pool.create_workflow(waiting(0.25))
    path = tmp_path / "sweep.jsonl"
    sweep = wf.sweep(number=range(40), manifest=path)
    delivered = [(sweep.index(run), run.outputs.values("wait")) for run in sweep]
    assert sorted(delivered) == [(number, [number]) for number in range(40)]
    shares = Counter(run.server for run in sweep.runs)
    assert len(shares) == 2
    assert all(share >= 15 for share in shares.values()), shares
    assert {server.name: server.done for server in pool.servers} == shares
    assert two_servers.counts(batches(path)) == {"completed": 40}
    assert Counter(record["server"] for record in read_manifest(path).runs.values()) == shares
    assert len(Sweep.resume(path, pool).wait()) == 40
    assert two_servers.counts(batches(path)) == {"completed": 40}


async def test_an_asynchronous_pool(two_servers: TwoServers) -> None:
    async with AsyncInvokeAIPool(two_servers.urls) as pool:
        wf = await pool.create_workflow(workflows.add())
        sweep = await wf.sweep(a=[1, 2, 3, 4], values={"b": 10})
        found = {sweep.index(run): run.outputs.of("sum")[0].data["value"] async for run in sweep}
        assert found == {0: 11, 1: 12, 2: 13, 3: 14}


async def test_no_server_that_can_do_the_sweep_is_an_error_with_each_reason(
    two_servers: TwoServers,
) -> None:
    before = [*map(items, two_servers.urls)]
    async with (
        AsyncInvokeAIPool([two_servers.second.url]) as pool,
        AsyncInvokeAIClient.from_url(two_servers.first) as other,
    ):
        wf = await other.workflow_repo.create_workflow(workflows.sdxl())
        with pytest.raises(NotReadyError) as raised:
            await wf.sweep(seed=[1, 2], values={"model": "tiny-sdxl"}, pool=pool)
    assert f"{two_servers.second.url}: The model 'tiny-sdxl'" in str(raised.value)
    assert [*map(items, two_servers.urls)] == before


def test_a_workflow_of_another_synchronous_client_is_an_error(
    pool: InvokeAIPool, client: InvokeAIClient
) -> None:
    wf = client.workflow_repo.create_workflow(workflows.add())
    with pytest.raises(UsageError, match="loaded by another client"):
        wf.sweep(a=[1, 2], pool=pool)
    with pytest.raises(UsageError, match="loaded by another client"):
        pool.check(wf, wf.sweep_plan(a=[1, 2]))


def test_a_local_image_is_brought_to_each_server_once(
    pool: InvokeAIPool, two_servers: TwoServers, picture: bytes, tmp_path: Path, nothing_left: None
) -> None:
    file = tmp_path / "picture.png"
    file.write_bytes(picture)
    nodes = {"blur": ("img_blur", {"radius": 1.0})}
    document = workflows.workflow("Blur", nodes, [], [("blur", "image"), ("blur", "radius")], final=["blur"])
    with InvokeAIClient.from_url(two_servers.second.url) as second:
        before = {image.name for image in second.image_repo.list_images(is_intermediate=None)}
        sweep = pool.create_workflow(document).sweep(radius=range(1, 13), values={"image": file})
        assert all(run.status.ok for run in sweep.wait())
        after = {image.name for image in second.image_repo.list_images(is_intermediate=None)}
    made = {image.name for run in sweep.runs if run.server == two_servers.second.url for image in run.images}
    assert made
    assert len(after - before - made) == 1


def test_a_server_on_which_all_runs_fail_costs_no_run(
    pool: InvokeAIPool, two_servers: TwoServers, tmp_path: Path
) -> None:
    path = tmp_path / "sweep.jsonl"
    with two_servers.pace(fails=True):
        sweep = pool.create_workflow(waiting(0.05)).sweep(number=range(30), manifest=path)
        assert all(run.status.ok for run in sweep.wait())
    assert {run.server for run in sweep.runs} == {two_servers.first}
    counts = two_servers.counts(batches(path))
    assert counts["completed"] == 30
    assert counts["failed"] <= 9  # 30 % of 30


def test_a_slow_server_gets_few_runs(pool: InvokeAIPool, two_servers: TwoServers, tmp_path: Path) -> None:
    """Four times slower. How long that takes is measured by the benchmarks."""
    path = tmp_path / "sweep.jsonl"
    with two_servers.pace(factor=4):
        sweep = pool.create_workflow(waiting(0.5)).sweep(number=range(20), manifest=path)
        assert all(run.status.ok for run in sweep.wait())
    shares = Counter(run.server for run in sweep.runs)
    assert 1 <= shares[two_servers.second.url] <= 8
    assert two_servers.counts(batches(path)) == {"completed": 20}


def test_failed_runs_are_run_again(two_servers: TwoServers) -> None:
    with InvokeAIPool([two_servers.second]) as pool:
        with two_servers.pace(fails=True):
            sweep = pool.create_workflow(waiting(0.05)).sweep(number=range(4))
            assert {run.status.state for run in sweep.wait()} == {JobStatus.FAILED}
        assert "told to fail" in str(sweep[0].status.error_message)
        assert sweep.retry_failed() == 4
        assert [run.outputs.values("wait") for run in sweep.wait()] == [[0], [1], [2], [3]]


def test_cancel_leaves_nothing_on_the_servers(
    pool: InvokeAIPool, two_servers: TwoServers, tmp_path: Path
) -> None:
    path = tmp_path / "sweep.jsonl"
    sweep = pool.create_workflow(waiting(0.2)).sweep(number=range(60), manifest=path)
    for run in sweep:
        assert run.status.ok
        break
    sweep.cancel()
    counts = two_servers.counts(batches(path))
    assert not {*counts} - {"completed", "canceled"}
    ended = sweep.wait()
    assert len(ended) < 60
    assert {run.status.state for run in ended} <= {JobStatus.COMPLETED, JobStatus.CANCELLED}


def test_a_run_is_canceled_on_its_server(pool: InvokeAIPool) -> None:
    sweep = pool.create_workflow(waiting(60.0)).sweep(number=range(2))
    wait_until(lambda: len(sweep.runs) == 2)  # sent in the background
    for run in sweep.runs:
        run.cancel()
    assert {run.status.state for run in sweep.wait()} == {JobStatus.CANCELLED}
    with pytest.raises(RunCanceledError):
        sweep[0].result()


def test_clients_of_single_servers(pool: InvokeAIPool, two_servers: TwoServers) -> None:
    for url in two_servers.urls:
        assert pool.client(url).url == url
    assert pool.client().url in two_servers.urls
    with pytest.raises(UnknownNameError, match="No server named 'gpu7' in this pool"):
        pool.client("gpu7")


def test_images_are_equal_on_both_servers_and_do_not_need_them_afterwards(
    pool: InvokeAIPool,
    two_servers: TwoServers,
    tmp_path: Path,
    nothing_left: None,
) -> None:
    wf = pool.create_workflow(workflows.sd1())
    sweep = wf.sweep(seed=range(12), values=SD1, manifest=tmp_path / "sweep.jsonl")
    assert all(run.status.ok for run in sweep.wait())
    assert {run.server for run in sweep.runs} == {*two_servers.urls}
    with InvokeAIClient.from_url(two_servers.first) as client:
        alone = client.workflow_repo.create_workflow(workflows.sd1()).sweep(seed=range(12), values=SD1)
        expected = [run.images[0].pil().convert("RGB").tobytes() for run in alone.wait()]

    async def off(*_: Any, **__: Any) -> Any:
        raise ServerUnreachableError(None, None, "It is off.")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(HttpTransport, "raw", off)
        patch.setattr(HttpTransport, "json", off)
        assert [run.images[0].pil().convert("RGB").tobytes() for run in sweep.runs] == expected
        files = sweep.save(str(tmp_path / "out" / "{seed}.png"))
        assert [file.name for file in files] == [f"{seed}.png" for seed in range(12)]
        assert [Pillow.open(file).convert("RGB").tobytes() for file in files] == expected
        assert sweep.grid().width > 12 * 64
        page = sweep.report(tmp_path / "report")
        assert len([*(page.parent / "images").iterdir()]) == 12
        assert [record["seed"] for record in sweep.to_records()] == [*range(12)]
        kept = [*(tmp_path / "sweep-images").iterdir()]
        assert len(kept) == 12


@pytest.fixture
def other_lora(two_servers: TwoServers, tiny_models: TinyModels, tmp_path: Path) -> Iterator[str]:
    """A model that has the same name on both servers, but another file on the second one."""
    [source] = [one for one in tiny_models.models if one.name == "tiny-lora-sd1"]
    file = tmp_path / source.path.name
    file.write_bytes(changed(source.path.read_bytes()))
    with InvokeAIClient.from_url(two_servers.second.url) as second:
        second.dnn_model_repo.install_model(file, config={"name": source.name}).wait()
        yield source.name
        second.dnn_model_repo.delete_model(source.name)


def changed(safetensors: bytes) -> bytes:
    """Return a file with other weights."""
    return safetensors[:-1] + bytes([safetensors[-1] ^ 1])


def items(url: str) -> list[int]:
    """Return the ids of all queue items of a server."""
    with InvokeAIClient.from_url(url) as client:
        return client.queue_repo.item_ids()


def test_what_a_server_lacks_is_named_before_anything_is_sent(
    other_lora: str, pool: InvokeAIPool, two_servers: TwoServers
) -> None:
    second = two_servers.second.url

    def problems(document: dict[str, Any], **axes: Any) -> list[str]:
        wf = pool.create_workflow(document)  # for the first server, which has everything
        found = pool.check(wf, wf.sweep_plan(**axes))
        assert found.pop(two_servers.first) == []
        [(name, sentences)] = found.items()
        assert name == second
        return sentences

    def node(kind: str) -> dict[str, Any]:
        nodes = {"n": (kind, {"value": 1})}
        return workflows.workflow("N", nodes, [], [("n", "value")], versions={kind: "1.2.0"})

    before = [*map(items, two_servers.urls)]
    [missing_model] = problems(workflows.sdxl(), model=["tiny-sdxl"])
    assert missing_model.startswith("The model 'tiny-sdxl' (sdxl, main) is not installed on this server.")
    [other_file] = problems(workflows.lora(), lora=[other_lora], values={"model": "tiny-sd1"})
    assert other_file.startswith(f"The model '{other_lora}' (sd-1, lora) is another file on this server: its")
    [missing_node] = problems(node("only_here"), value=[1, 2])
    assert missing_node.startswith("The node type 'only_here' (node 'n') is missing on this server.")
    [version] = problems(node("differs"), value=[1, 2])
    assert "has version 2.0.0 on this server; expected 1.x like 1.2.0" in version
    # The other server does what this one cannot do.
    sweep = pool.create_workflow(node("only_here")).sweep(value=[1, 2])
    assert {run.server for run in sweep.wait()} == {two_servers.first}
    assert items(second) == before[1]


def test_servers_load_few_models(pool: InvokeAIPool, two_servers: TwoServers, tmp_path: Path) -> None:
    """Four models in turn on two servers: at most as many changes as models and servers, minus one."""
    path = tmp_path / "sweep.jsonl"
    nodes: dict[str, Any] = {"any": ("model_identifier", {}), "sum": ("add", {"a": 1, "b": 2})}
    wf = pool.create_workflow(workflows.workflow("Any", nodes, [], [("any", "model"), ("sum", "a")]))
    sweep = wf.sweep(model=MODELS, a=range(6), manifest=path)
    assert all(run.status.ok for run in sweep.wait())
    kept = read_manifest(path)
    changes = 0
    for name in two_servers.urls:
        done = [kept.requests[one.request].fixed for one in kept.batches if one.server == name]
        changes += sum(new != old for old, new in zip([None, *done], done, strict=False))
    assert len(MODELS) == 4
    assert changes <= 5


def test_a_board_is_created_where_it_is_missing(
    pool: InvokeAIPool, two_servers: TwoServers, nothing_left: None
) -> None:
    pool.client().board_repo.create_board("pooled")
    sweep = pool.create_workflow(workflows.sd1()).sweep(seed=range(12), values=SD1, auto_board="pooled")
    assert all(run.status.ok for run in sweep.wait())
    counts: dict[str, int] = {}
    for url in two_servers.urls:
        with InvokeAIClient.from_url(url) as one:
            [board] = one.board_repo.get_boards_by_name("pooled")
            counts[url] = board.image_count
    assert counts == Counter(run.server for run in sweep.runs)


def test_a_sweep_is_resumed_after_its_pool_was_closed(two_servers: TwoServers, tmp_path: Path) -> None:
    path = tmp_path / "sweep.jsonl"
    with InvokeAIPool(two_servers.urls, seconds=1.0) as pool:
        sweep = pool.create_workflow(waiting(0.1)).sweep(number=range(24), manifest=path)
        for _ in sweep:
            if sweep.done >= 5:
                break
    done = len(read_manifest(path).runs)
    assert 5 <= done < 24
    with InvokeAIPool(two_servers.urls, seconds=1.0) as pool:
        resumed = Sweep.resume(path, pool)
        assert [run.status.ok for run in resumed.wait()] == [True] * 24
    # A batch that was being sent when the pool was closed is taken back.
    assert two_servers.counts(batches(path))["completed"] == 24
    assert sorted(read_manifest(path).runs) == [*range(24)]
    with InvokeAIClient.from_url(two_servers.first) as client, pytest.raises(UsageError, match="Pass a pool"):
        Sweep.resume(path, client)


def test_a_pool_that_cannot_be_used_is_one_clear_error(two_servers: TwoServers) -> None:
    off = [f"http://127.0.0.1:{free_port()}" for _ in range(2)]
    with InvokeAIPool(off) as pool, pytest.raises(ServerUnreachableError) as raised:
        pool.create_workflow(workflows.add())
    assert all(f"  {url}: " in str(raised.value) for url in off)
    with pytest.raises(UsageError, match=r"twice|same"):
        InvokeAIPool([two_servers.first, two_servers.first.replace("127.0.0.1", "localhost")])
    with pytest.raises(UsageError, match="No pool named 'lab'"):
        InvokeAIPool.from_config("lab")
    with InvokeAIPool([two_servers.first, off[0]]) as pool:  # one is enough
        sweep = pool.create_workflow(workflows.add()).sweep(a=[1, 2])
        assert all(run.status.ok for run in sweep.wait())
        assert {server.name: server.state for server in pool.servers} == {
            two_servers.first: "ready",
            off[0]: "silent",
        }
