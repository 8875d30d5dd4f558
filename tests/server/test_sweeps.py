"""Sweeps: combinations, requests, seeds, files, contact sheets and reports."""

from __future__ import annotations

import gc
import pickle
from pathlib import Path
from typing import Any

import pytest
import workflows
from PIL import Image as Pillow
from tests.conftest import RealServer

from invokeai_py_client import AsyncInvokeAIClient, DynamicPrompts, InvokeAIClient, Run, Sweep
from invokeai_py_client.errors import (
    InputValueError,
    ModelNotFoundError,
    NotReadyError,
    RunFailedError,
    UsageError,
)


def test_product_of_axes(client: InvokeAIClient) -> None:
    wf = client.workflow_repo.create_workflow(workflows.add())
    sweep = wf.sweep(a=[1, 2], b=[10, 20, 30])
    sums = {(run.inputs["a"], run.inputs["b"]): run.outputs.of("sum")[0].data["value"] for run in sweep}
    assert sums == {(a, b): a + b for a in (1, 2) for b in (10, 20, 30)}
    assert [(run.inputs["a"], run.inputs["b"]) for run in sweep.runs[:3]] == [(1, 10), (1, 20), (1, 30)]
    assert len({run.batch_id for run in sweep.runs}) == 1


def test_sweep_over_local_images_is_checked_without_uploading_them(
    client: InvokeAIClient, tmp_path: Path
) -> None:
    for name in ("a", "b"):
        Pillow.new("RGB", (8, 8), "teal").save(tmp_path / f"{name}.png")
    nodes = {"save": ("save_image", {}), "blur": ("img_blur", {})}
    document = workflows.workflow("Save", nodes, [], [("save", "image"), ("blur", "image")])
    wf = client.workflow_repo.create_workflow(document)
    before = client.image_repo.count_images()
    values = {"blur.image": tmp_path / "a.png"}
    wf.check_sweep(wf.sweep_plan({"save.image": str(tmp_path)}, values=values))
    assert client.image_repo.count_images() == before


def test_plan_is_self_contained(client: InvokeAIClient) -> None:
    wf = client.workflow_repo.create_workflow(workflows.add())
    plan = wf.sweep_plan(a=[1, 2], values={"b": 10})
    wf.set(b=1000)
    wf.check_sweep(plan)
    assert [run.outputs.of("sum")[0].data["value"] for run in wf.start_sweep(plan).wait()] == [11, 12]
    again = pickle.loads(pickle.dumps(plan))
    assert [dict(run.inputs) for run in wf.start_sweep(again).wait()] == [
        {"a": 1, "b": 10},
        {"a": 2, "b": 10},
    ]
    other = wf.start_sweep(plan, values={"b": 20})
    assert [run.outputs.of("sum")[0].data["value"] for run in other.wait()] == [21, 22]
    with pytest.raises(InputValueError):
        wf.check_sweep(plan, values={"b": "many"})
    rows = wf.sweep_rows_plan([{"a": 5}], values={"b": 10})
    assert [run.outputs.of("sum")[0].data["value"] for run in wf.start_sweep(rows).wait()] == [15]


def test_plan_has_its_board(client: InvokeAIClient, nothing_left: None) -> None:
    board, other = (client.board_repo.create_board(name) for name in ("planned", "called"))
    wf = client.workflow_repo.create_workflow(workflows.sd1())
    values = {"model": "tiny-sd1", "steps": 2}
    plan = wf.sweep_plan(positive_prompt=["a"], values=values, auto_board="planned")
    wf.start_sweep(plan).wait()
    assert (board.get_image_count(), other.get_image_count()) == (1, 0)
    wf.start_sweep(plan, auto_board="called").wait()
    wf.start_sweep(plan, auto_board="none").wait()
    assert (board.get_image_count(), other.get_image_count()) == (1, 1)
    with pytest.raises(NotReadyError, match="No board named 'nowhere'"):
        wf.check_sweep(wf.sweep_rows_plan([{"steps": 3}], values=values, auto_board="nowhere"))


def test_zip_of_axes(client: InvokeAIClient) -> None:
    sweep = client.workflow_repo.create_workflow(workflows.add()).sweep(
        mode="zip", a=[1, 2, 3], b=[10, 20, 30]
    )
    assert [run.outputs.of("sum")[0].data["value"] for run in sweep.wait()] == [11, 22, 33]


async def test_async_sweep(async_client: AsyncInvokeAIClient) -> None:
    wf = await async_client.workflow_repo.create_workflow(workflows.add())
    sweep = await wf.sweep(a=range(3))
    assert sorted([run.inputs["a"] async for run in sweep]) == [0, 1, 2]


def test_invalid_value_is_rejected_before_anything_is_sent(client: InvokeAIClient) -> None:
    wf = client.workflow_repo.create_workflow(workflows.add())
    before = client.queue_repo.status().total
    with pytest.raises(InputValueError, match="Axis 'a', value 2"):
        wf.sweep(a=[1, 2, "three", 4])
    with pytest.raises(UsageError, match="different numbers of values"):
        wf.sweep(mode="zip", a=[1, 2], b=[1])
    assert client.queue_repo.status().total == before


def test_grid_of_real_images(client: InvokeAIClient) -> None:
    wf = client.workflow_repo.create_workflow(workflows.sd1())
    sweep = wf.sweep(values={"model": "tiny-sd1"}, positive_prompt=["a", "b"], steps=[2, 3])
    sweep.wait()
    sheet: Any = sweep.grid(rows="Positive Prompt", columns="steps", cell=64)
    assert sheet.width > 2 * 64
    assert sheet.height > 2 * 64
    assert sheet.getextrema() != ((255, 255),) * 3
    number: Any = 3
    with pytest.raises(
        UsageError, match="No axis named 3 in this sweep: expected one of positive_prompt, steps"
    ):
        sweep.grid(rows=number)


def blank_images(label: str = "Prompt") -> dict[str, Any]:
    """A workflow that ignores its texts and draws small images."""
    nodes = {
        "p": ("string", {"value": "x"}),
        "q": ("integer", {"value": 1}),
        "im": ("blank_image", {"width": 16, "height": 16}),
    }
    return workflows.workflow(
        "Blank",
        nodes,
        [],
        [("p", "value"), ("q", "value")],
        labels={("p", "value"): label, ("q", "value"): "Count"},
    )


def test_grid_with_any_labels_and_three_axes(client: InvokeAIClient) -> None:
    wf = client.workflow_repo.create_workflow(blank_images("Prompt\n→"))
    sweep = wf.sweep({0: ["a fox\nin snow", "Füchse", "مرحبا 🦊"], 1: [1, 2]}, mode="product")
    sweep.wait()
    one_line = sweep.grid(cell=32)
    assert one_line.height > 3 * 32
    zipped = wf.sweep({0: ["a", "b\u2028c"], 1: [1, 2]}, mode="zip")
    zipped.wait()
    assert zipped.grid(cell=64).width > 2 * 64


def test_saved_images_sheets_records_and_report(client: InvokeAIClient, tmp_path: Path) -> None:
    wf = client.workflow_repo.create_workflow(workflows.sd1())
    sweep = wf.sweep(values={"model": "tiny-sd1"}, positive_prompt=["a/b", "a:b"], seed=[1, 2], steps=[2])
    sweep.wait()
    paths = sweep.save(f"{tmp_path}/out/{{positive_prompt}}-{{seed}}.png")
    assert len(set(paths)) == 4
    assert sorted(path for path in (tmp_path / "out").iterdir()) == sorted(paths)
    assert [path.read_bytes() for path in paths] == [run.images[0].bytes() for run in sweep.runs]
    paths[0].write_bytes(b"kept")
    assert sweep.save(f"{tmp_path}/out/{{positive_prompt}}-{{seed}}.png") == paths
    assert paths[0].read_bytes() == b"kept"
    with pytest.raises(UsageError, match="sede"):
        sweep.save("{sede}.png")
    [page] = sweep.grids(rows="positive_prompt", columns="seed", cell=64)
    sheet = sweep.grid(rows="positive_prompt", columns="seed", cell=64)
    assert min(*page.size, *sheet.size) >= 2 * 64
    pages = list(sweep.grids(rows="positive_prompt", columns="seed", cell=64, side=160))
    assert len(pages) > 1
    records = sweep.to_records()
    assert [record["seed"] for record in records] == [1, 2, 1, 2]
    assert {record["state"] for record in records} == {"completed"}
    assert records[0]["images"] == [sweep[0].images[0].name]
    assert [sweep.index(run) for run in sweep.runs] == [0, 1, 2, 3]
    table = sweep._repr_html_()
    assert "4 of 4 runs finished" in table
    assert "a/b" in table
    page = sweep.report(tmp_path / "report {1}")
    text = page.read_text()
    assert "a/b" in text
    for run in sweep.runs:
        name = f"images/{sweep.index(run):04}-{run.images[0].name}"
        assert name in text
        assert (page.parent / name).read_bytes() == run.images[0].bytes()


def test_local_images_as_an_axis(client: InvokeAIClient, picture: bytes, tmp_path: Path) -> None:
    other = Pillow.new("RGB", (32, 16), (200, 30, 30))
    (tmp_path / "one.png").write_bytes(picture)
    other.save(tmp_path / "two.png")
    wf = client.workflow_repo.create_workflow(
        workflows.workflow(
            "Invert",
            {"invert": ("img_lerp", {"min": 255, "max": 0})},
            [],
            [("invert", "image")],
            final=["invert"],
        )
    )
    sweep = wf.sweep(image=[tmp_path / "one.png", tmp_path / "two.png", tmp_path / "one.png"])
    sizes = [run.images[0].pil().size for run in sweep.wait()]
    assert sizes == [(64, 64), (32, 16), (64, 64)]
    again = wf.sweep(image=[tmp_path / "two.png"])  # uploaded before, recognized by its content
    assert again.wait()[0].images[0].pil().getpixel((0, 0)) == (55, 225, 225)


def test_image_that_is_not_on_the_server_is_rejected(client: InvokeAIClient) -> None:
    wf = client.workflow_repo.create_workflow(
        workflows.workflow("Invert", {"invert": ("img_lerp", {})}, [], [("invert", "image")])
    )
    before = client.queue_repo.status().total
    with pytest.raises(NotReadyError, match=r"no image named 'missing\.png'"):
        wf.sweep(image=[{"image_name": "missing.png"}])
    assert client.queue_repo.status().total == before


def test_models_need_a_request_each_and_come_first(client: InvokeAIClient) -> None:
    wf = client.workflow_repo.create_workflow(workflows.lora())
    wf.set(lora="tiny-lora-sd1")
    plan = wf.sweep_plan(seed=[1, 2], model=["tiny-sd1", "tiny-sd1"])
    assert (plan.count, len(plan.parts), plan.axes[0]) == (4, 2, "model")
    sweep = wf.sweep(seed=[1, 2], model=["tiny-sd1"])
    assert [run.inputs["model"] for run in sweep.wait()] == ["tiny-sd1", "tiny-sd1"]
    assert all(run.status.ok for run in sweep.runs)


def test_missing_model_sends_nothing(client: InvokeAIClient) -> None:
    wf = client.workflow_repo.create_workflow(workflows.sd1())
    before = client.queue_repo.status().total
    with pytest.raises(ModelNotFoundError, match="nope"):
        wf.sweep(model=["tiny-sd1", "nope"], seed=[1, 2])
    assert client.queue_repo.status().total == before


def test_callbacks_receive_synchronous_runs(client: InvokeAIClient) -> None:
    sweep = client.workflow_repo.create_workflow(workflows.add()).sweep(a=[41, 42])
    seen: list[Run] = []
    sweep.wait(on_run=seen.append)
    assert all(isinstance(run, Run) for run in seen)
    assert [run.outputs.of("sum")[0].data["value"] for run in seen] == [43, 44]
    seen.clear()
    sweep.wait(on_run=lambda run: seen.append(run))
    assert seen == sweep.runs


def test_rows_as_a_sweep(client: InvokeAIClient) -> None:
    wf = client.workflow_repo.create_workflow(workflows.add(7, 8))
    sweep = wf.sweep_rows([{"a": 1, "b": 1}, {"a": 2}, {"b": 100}])
    assert [run.outputs.of("sum")[0].data["value"] for run in sweep.wait()] == [2, 10, 107]


def test_tables_as_spreadsheets_write_them(client: InvokeAIClient, tmp_path: Path) -> None:
    wf = client.workflow_repo.create_workflow(
        workflows.workflow(
            "Sum",
            {"sum": ("add", {"a": 1, "b": 2}), "f": ("float", {"value": 1})},
            [],
            [("sum", "a"), ("sum", "b"), ("f", "value")],
        )
    )
    for text in ("sep=;\na;b;Value\n3;4;7,5\n", ",a,b,value\n0,3,4,7.5\n", "a\tb\tvalue\n3\t4\t7,5\n"):
        (tmp_path / "runs.csv").write_text(text)
        (run,) = wf.sweep_rows(tmp_path / "runs.csv").wait()
        assert run.outputs.of("sum")[0].data["value"] == 7
        assert run.outputs.of("f")[0].data["value"] == 7.5
    before = client.queue_repo.status().total
    (tmp_path / "runs.csv").write_text("a,A\n3,4\n")
    with pytest.raises(UsageError, match=r"runs\.csv, line 1: the columns 'a' and 'A'"):
        wf.sweep_rows(tmp_path / "runs.csv")
    assert client.queue_repo.status().total == before


def test_arrays_as_axes(client: InvokeAIClient) -> None:
    numpy, pandas = pytest.importorskip("numpy"), pytest.importorskip("pandas")
    wf = client.workflow_repo.create_workflow(workflows.add())
    sweep = wf.sweep(a=numpy.arange(2, 4), b=pandas.Series([10, 20]))
    assert [run.outputs.of("sum")[0].data["value"] for run in sweep.wait()] == [12, 22, 13, 23]
    seeds = client.workflow_repo.create_workflow(workflows.sd1())
    plan = seeds.sweep_plan({"steps": [1, 2]}, seed=numpy.arange(3))
    assert plan.count == 6
    assert seeds.sweep_plan(steps=[1], seed=numpy.int64(5), repeat=2).count == 2


def test_repeats_have_different_seeds(client: InvokeAIClient) -> None:
    wf = client.workflow_repo.create_workflow(workflows.sd1())
    sweep = wf.sweep(steps=[2, 3], repeat=2, values={"model": "tiny-sd1"})
    runs = sweep.wait()
    assert [run.inputs["seed"] for run in runs[:2]] == [run.inputs["seed"] for run in runs[2:]]
    assert len({run.images[0].bytes() for run in runs}) == 4
    again = wf.run(model="tiny-sd1", steps=2, seed=runs[0].inputs["seed"])
    assert again.images[0].pil().tobytes() == runs[0].images[0].pil().tobytes()


def test_dynamic_prompts(client: InvokeAIClient) -> None:
    wf = client.workflow_repo.create_workflow(workflows.sd1())
    plan = wf.sweep_plan(positive_prompt=DynamicPrompts("a {red|blue} house"))
    assert [point["positive_prompt"] for point in plan.points()] == ["a red house", "a blue house"]


@pytest.mark.parametrize("combinatorial", [True, False])
@pytest.mark.parametrize(
    ("prompt", "said"),
    [
        ("a __animal__", "the server does not know the wildcard '__animal__' in 'a __animal__'"),
        ("a __an-imal/x__ in {x|y}, __b__", "the wildcards '__an-imal/x__', '__b__'"),
        ("{a __animal__|dog}", "wildcard"),
        ("a {red|blue", r"the server could not expand 'a \{red\|blue'.* Close each \{ with a \}"),
    ],
)
def test_dynamic_prompts_that_the_server_cannot_expand(
    client: InvokeAIClient, prompt: str, said: str, combinatorial: bool
) -> None:
    """The server responds with status 200 to each of them."""
    given = DynamicPrompts(prompt, combinatorial=combinatorial, seed=1)
    wf = client.workflow_repo.create_workflow(workflows.sd1())
    before = client.queue_repo.item_ids()
    with pytest.raises(NotReadyError, match=f"^The axis 'positive_prompt': .*{said}"):
        wf.sweep(positive_prompt=given)
    with pytest.raises(NotReadyError, match=said):
        wf.sweep_plan(positive_prompt=given)
    generator = {
        "type": f"string_generator_dynamic_prompts_{'combinatorial' if combinatorial else 'random'}",
        "input": prompt,
        **({"maxPrompts": 10} if combinatorial else {"count": 10}),
    }
    nodes = {
        "gen": ("string_generator", {"generator": generator}),
        "batch": ("string_batch", {}),
        "text": ("string", {}),
    }
    edges = ["gen.strings -> batch.strings", "batch.value -> text.value"]
    generating = client.workflow_repo.create_workflow(workflows.workflow("Prompts", nodes, edges))
    for call in (generating.start_batch, lambda: generating.enqueue_request(validate=False)):
        with pytest.raises(NotReadyError, match=f"gen: .*{said}"):
            call()
    assert client.queue_repo.item_ids() == before


def test_number_of_dynamic_prompts(client: InvokeAIClient) -> None:
    wf = client.workflow_repo.create_workflow(workflows.sd1())
    assert (
        wf.sweep_plan(positive_prompt=DynamicPrompts("a __ b {x|y}__z", most=1)).count == 1
    )  # not a wildcard
    for most in (0, -1, 10_001):
        with pytest.raises(
            UsageError, match=f"'positive_prompt': invalid number of prompts {most}; expected 1 to 10,000"
        ):
            wf.sweep_plan(positive_prompt=DynamicPrompts("a {red|blue} house", most=most))


def test_sweep_needs_at_most_three_requests(client: InvokeAIClient) -> None:
    """One request sends all runs, and events report their results."""
    wf = client.workflow_repo.create_workflow(workflows.add())
    wf.run(a=1000, b=1)  # connects
    http = client._impl.connection.http
    before = http.sent
    sweep = wf.sweep(a=range(2000, 2012))
    assert [run.outputs.of("sum")[0].data["value"] for run in sweep.wait()] == list(range(2002, 2014))
    assert all(run.seconds is not None and run.seconds >= 0 for run in sweep.runs)
    assert http.sent - before <= 3


def test_failed_runs_can_be_retried(client: InvokeAIClient) -> None:
    wf = client.workflow_repo.create_workflow(
        workflows.workflow("Divides", {"d": ("div", {"a": 12, "b": 1})}, [], [("d", "b")])
    )
    sweep = wf.sweep(b=[1, 0, 3])
    # In the order in which their ends become known: that of a failed run may come from the queue, after an event.
    assert sorted(run.inputs["b"] for run in sweep) == [0, 1, 3]
    [failed] = sweep.failed
    assert failed.inputs["b"] == 0
    with pytest.raises(RunFailedError, match="ZeroDivisionError"):
        failed.raise_if_failed()
    assert sweep.retry_failed() == 1
    sweep.wait()
    [again] = sweep.failed
    assert again.item_id > failed.item_id
    assert len(sweep) == len(sweep.runs) == 3


def test_background_sweep_queues_few_runs(client: InvokeAIClient) -> None:
    wf = client.workflow_repo.create_workflow(workflows.add())
    sweep = wf.sweep(a=range(3000, 3006), background=True)
    most = 0
    for _ in sweep:
        most = max(most, client.queue_repo.status().pending)
    assert most <= 2
    assert [run.outputs.of("sum")[0].data["value"] for run in sweep.runs] == list(range(3002, 3008))


def test_client_closed_while_its_sweep_sends(server: RealServer) -> None:
    """Nothing remains open, and the sweep continues when the client is used again: each run happens once."""
    client = InvokeAIClient.from_url(server.url)
    wf = client.workflow_repo.create_workflow(workflows.add())
    sweep = wf.sweep(a=range(20), background=True)
    for _ in sweep:
        client.close()  # the next run opens a new connection
        gc.collect()  # reports anything left open
        if sweep.done > 3:
            break
    assert [run.outputs.of("sum")[0].data["value"] for run in sweep.wait()] == list(range(2, 22))
    client.close()


def test_sweep_can_be_pickled(client: InvokeAIClient) -> None:
    sweep = client.workflow_repo.create_workflow(workflows.add()).sweep(a=range(510, 514))
    copy: Sweep = pickle.loads(pickle.dumps(sweep))
    assert [run.outputs.of("sum")[0].data["value"] for run in copy.wait()] == [512, 513, 514, 515]
    sweep.wait()
    assert pickle.loads(pickle.dumps(sweep)).runs == sweep.runs


def test_cancel_sweep(client: InvokeAIClient) -> None:
    wf = client.workflow_repo.create_workflow(workflows.sd1(steps=1000, size=256))
    sweep = wf.sweep(values={"model": "tiny-sd1"}, seed=range(3000, 3004))
    sweep.cancel()
    assert {run.status.state.value for run in sweep.wait()} == {"cancelled"}
