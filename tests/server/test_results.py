"""Results of runs: outputs of all kinds of nodes, found by id, label and form field, in order."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from workflows import sd1, workflow

from invokeai_py_client import InvokeAIClient, Run
from invokeai_py_client.errors import RunFailedError, RunNotFinishedError, TransferError, UsageError
from invokeai_py_client.models.enums import JobStatus

CASES = Path(__file__).parents[1] / "data" / "cases"
Save = Callable[[dict[str, Any]], str]


@pytest.fixture
def board(client: InvokeAIClient) -> Iterator[str]:
    """Create a board, and return its id."""
    made = client.board_repo.create_board("results")
    yield made.board_id
    client.board_repo.delete_board(made.board_id, delete_images=True)


def run(client: InvokeAIClient, document: dict[str, Any], **values: Any) -> Run:
    return client.workflow_repo.create_workflow(document).run(timeout=60, progress=False, **values)


def named(document: dict[str, Any], **labels: str) -> dict[str, Any]:
    """Return the workflow with other labels for its nodes."""
    for node in document["nodes"]:
        node["data"]["label"] = labels.get(node["id"], node["data"]["label"])
    return document


def blank(color: int, **more: Any) -> tuple[str, dict[str, Any]]:
    """Return a node that makes an image without a model. Each color makes a different image."""
    return "blank_image", {"width": 64, "height": 64, "color": {"r": color, "g": 0, "b": 0, "a": 255}, **more}


VALUES = {
    "sum": ("add", {"a": 40, "b": 2}),
    "share": ("float_math", {"operation": "DIV", "a": 1, "b": 4}),
    "text": ("string", {"value": "a lighthouse"}),
    "none": ("string", {"value": ""}),
    "truth": ("boolean", {"value": False}),
    "words": ("string_collection", {"collection": ["b", "a", ""]}),
    "whole": ("range", {"start": 0, "stop": 6, "step": 2}),
    "real": ("float_range", {"start": 0, "stop": 1, "steps": 3}),
    "red": ("color", {"color": {"r": 255, "g": 0, "b": 0, "a": 255}}),
}


def test_values_of_every_kind(client: InvokeAIClient) -> None:
    outputs = run(client, workflow("Values", VALUES, [])).outputs
    assert {output.node_id: output.value for output in outputs} == {
        "sum": 42,
        "share": 0.25,
        "text": "a lighthouse",
        "none": "",
        "truth": False,
        "words": ["b", "a", ""],
        "whole": [0, 2, 4],
        "real": [0, 0.5, 1],
        "red": {"r": 255, "g": 0, "b": 0, "a": 255},
    }
    assert [output.node_id for output in outputs] == list(VALUES)
    assert type(outputs.values("truth")[0]) is bool


def test_node_is_found_by_label_type_and_fields(client: InvokeAIClient) -> None:
    document = workflow(
        "Names",
        {"n1": ("add", {"a": 1, "b": 2}), "n2": ("add", {"a": 3, "b": 4}), "n3": ("string", {"value": "x"})},
        [],
        [("n2", "b"), ("n1", "a"), ("n3", "value")],
        labels={("n1", "a"): "First Number"},
    )
    done = run(client, named(document, n1="Small Sum", n2="", n3=""))
    found = {
        address: done.outputs.values(address)
        for address in ("n2", "Small Sum", "small_sum", 0, 1, 2, "First Number", "b", ("n2", "a"), "string")
    }
    assert found == {
        "n2": [7],
        "Small Sum": [3],
        "small_sum": [3],
        0: [7],
        1: [3],
        2: ["x"],
        "First Number": [3],
        "b": [7],
        ("n2", "a"): [7],
        "string": ["x"],
    }
    assert done.outputs.values("Add Integers") == [7]  # the editor shows its type's title
    with pytest.raises(UsageError, match="n1, n2"):
        done.outputs.of("add")
    picked_up = client.run(done.item_id)
    picked_up.result(20)
    assert picked_up.outputs.values("Small Sum") == [3]
    assert picked_up.outputs.values(1) == [3]


def iterations() -> dict[str, Any]:
    """Return a workflow that iterates over two lists, and over each pair of their items."""
    return workflow(
        "Iterations",
        {
            "tens": ("range", {"start": 10, "stop": 40, "step": 10}),
            "ones": ("range", {"start": 1, "stop": 3, "step": 1}),
            "each ten": ("iterate", {}),
            "each one": ("iterate", {}),
            "both": ("add", {"b": 0}),
            "all": ("collect", {}),
            "single": ("add", {"a": 100, "b": 1}),
        },
        [
            "tens.collection -> each ten.collection",
            "ones.collection -> each one.collection",
            "each ten.item -> both.a",
            "each one.item -> both.b",
            "both.value -> all.item",
        ],
    )


def test_iterations_are_in_order(client: InvokeAIClient) -> None:
    outputs = run(client, iterations()).outputs
    assert outputs.values("each ten") == [10, 20, 30]
    assert [output.values for output in outputs.of("each one")] == [
        {"item": 1, "index": 0, "total": 2},
        {"item": 2, "index": 1, "total": 2},
    ]
    assert outputs.values("single") == [101]
    both = outputs.of("both")
    assert [output.value for output in both] == [11, 12, 21, 22, 31, 32]
    assert [output.iteration for output in both] == [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (2, 1)]
    assert outputs.of("single")[0].iteration == ()


@pytest.mark.since("6.14")
def test_values_are_collected_in_order(client: InvokeAIClient) -> None:
    outputs = run(client, iterations()).outputs
    # A collector collects the innermost iteration, so it runs once for each pass of the outer iteration.
    assert outputs.values("all") == [[11, 12], [21, 22], [31, 32]]


def test_images_boards_and_intermediates(client: InvokeAIClient, board: str) -> None:
    document = workflow(
        "Images",
        {
            "hidden": blank(1),
            "copy": ("save_image", {"board": {"board_id": board}}),
            "own": blank(2, board="none"),
            "any": blank(3, board="auto"),
        },
        ["hidden.image -> copy.image"],
        [("copy", "board")],
        labels={("copy", "board"): "Where To"},
        final=["copy", "own", "any"],
    )
    done = client.workflow_repo.create_workflow(document).run(timeout=60, auto_board=board)
    outputs = done.outputs
    [copy], [own], [hidden], [other] = (outputs.of(name) for name in ("Where To", "own", "hidden", "any"))
    assert (copy.node_id, copy.board_id, own.board_id, other.board_id) == ("copy", board, None, board)
    assert outputs.image_names() == (*copy.image_names, *own.image_names, *other.image_names)
    assert set(outputs.image_names(intermediate=True)) - set(outputs.image_names()) == set(hidden.image_names)
    assert [image.name for image in done.images] == list(outputs.image_names())
    kept = {record.image_name for record in client.image_repo.list_images(board_id=board)}
    assert kept == {*copy.image_names, *other.image_names}
    assert own.values["width"] == 64
    client.image_repo.delete([*own.image_names, *hidden.image_names])


def three_drawings() -> dict[str, Any]:
    """Return a workflow that makes three images, each wider than the previous one, and collects them."""
    return workflow(
        "Collections",
        {
            "numbers": ("range", {"start": 0, "stop": 3, "step": 1}),
            "each": ("iterate", {}),
            "size": ("add", {"b": 64}),
            "draw": ("blank_image", {"height": 64}),
            "all": ("collect", {}),
        },
        [
            "numbers.collection -> each.collection",
            "each.item -> size.a",
            "size.value -> draw.width",
            "draw.image -> all.item",
        ],
        final=["draw"],
    )


def test_collections_of_images(client: InvokeAIClient) -> None:
    done = run(client, three_drawings())
    outputs = done.outputs
    assert [output.values["width"] for output in outputs.of("draw")] == [64, 65, 66]
    names = [name for output in outputs.of("draw") for name in output.image_names]
    assert sorted(outputs.of("all")[0].image_names) == sorted(names)
    assert [image.pil().size for image in done.images] == [(64, 64), (65, 64), (66, 64)]
    client.image_repo.delete(names)


@pytest.mark.since("6.14")
def test_images_are_collected_in_order(client: InvokeAIClient) -> None:
    """Collectors of older servers (6.0.2) collect in any order."""
    outputs = run(client, three_drawings()).outputs
    names = tuple(name for output in outputs.of("draw") for name in output.image_names)
    assert outputs.of("all")[0].image_names == names
    client.image_repo.delete(names)


def test_cached_nodes_return_their_outputs_again(client: InvokeAIClient) -> None:
    document = workflow("Cached", {"draw": blank(77)}, [], final=["draw"])
    document["nodes"][0]["data"]["useCache"] = True
    first, second = run(client, document), run(client, document)
    assert first.item["session_id"] != second.item["session_id"]
    assert second.outputs.image_names() == first.outputs.image_names()
    assert second.images[0].bytes() == first.images[0].bytes()
    client.image_repo.delete(first.outputs.image_names())


@pytest.mark.since("6.14")
def test_videos(client: InvokeAIClient, video: str, board: str) -> None:
    document = workflow(
        "Videos",
        {
            "cut": (
                "extract_video_range",
                {"start_frame": 1, "end_frame": 3, "fps": 8, "board": {"board_id": board}},
            ),
            "frame": ("video_frame_extract", {"frame_index": 0}),
        },
        ["cut.video -> frame.video"],
        [("cut", "video")],
        final=["cut", "frame"],
    )
    document["nodes"][0]["data"]["inputs"]["video"]["value"] = {"video_name": video}
    outputs = run(client, document).outputs
    [cut], [frame] = outputs.of("cut"), outputs.of("frame")
    [name] = cut.video_names
    assert name != video
    assert outputs.video_names() == (name,)
    assert (cut.values["num_frames"], cut.values["width"], cut.board_id) == (3, 64, board)
    assert outputs.image_names() == frame.image_names
    assert client.videos.get_video(name).board_id == board
    client.videos.delete(name)
    client.image_repo.delete(frame.image_names)


# --------------------------------------------------------------------------- workflows that call workflows


def returning(name: str, nodes: dict[str, Any], edges: list[str], **values: str) -> dict[str, Any]:
    """Return a workflow that returns values: ``name="node.output"``."""
    for key, source in values.items():
        nodes[f"return {key}"] = ("workflow_return_value", {"key": key})
        edges += [f"{source} -> return {key}.value", f"return {key}.value -> list.item"]
    nodes |= {"list": ("collect", {}), "return": ("workflow_return", {})}
    return workflow(
        name, nodes, [*edges, "list.collection -> return.values"], [("sum", "a")], final=["draw", "sum"]
    )


@pytest.mark.since("6.14")
def test_outputs_of_called_workflows(client: InvokeAIClient, save: Save) -> None:
    inner = save(
        returning("Inner", {"sum": ("add", {"a": 1, "b": 2}), "draw": blank(5)}, [], total="sum.value")
    )
    middle = save(
        returning(
            "Middle",
            {"sum": ("add", {"a": 10, "b": 20}), "call": ("call_saved_workflow", {"workflow_id": inner})},
            [],
            total="sum.value",
        )
    )
    document = workflow(
        "Outer",
        {
            "draw": blank(6),
            "call": ("call_saved_workflow", {"workflow_id": middle}),
            "sum": ("add", {"a": 100, "b": 200}),
        },
        [],
        final=["draw"],
    )
    done = run(client, document)
    outputs = done.outputs
    assert outputs.values("call") == [{"total": 30}]
    assert outputs.values("sum") == [300]
    [call] = outputs.called
    assert (call.node_id, call.workflow_id, call.results.values("sum")) == ("call", middle, [30])
    [deeper] = call.results.called
    assert (deeper.workflow_id, deeper.results.values("sum")) == (inner, [3])
    drawn = deeper.results.of("draw")[0].image_names
    assert outputs.image_names() == (*outputs.of("draw")[0].image_names, *drawn)
    assert [image.name for image in done.images] == list(outputs.image_names())
    assert done.images[1].pil().size == (64, 64)
    client.image_repo.delete(outputs.image_names())


@pytest.mark.since("6.14")
def test_workflow_called_with_other_values(client: InvokeAIClient, save: Save) -> None:
    inner = save(returning("Inner", {"sum": ("add", {"a": 1, "b": 2})}, [], total="sum.value"))
    document = workflow("Outer", {"call": ("call_saved_workflow", {"workflow_id": inner})}, [])
    done = run(client, document, **{"saved_workflow_input::sum::a": 40})
    assert done.outputs.values("call") == [{"total": 42}]
    assert done.outputs.called[0].results.values("sum") == [42]


def test_failed_run_has_outputs_from_before_the_failure(client: InvokeAIClient) -> None:
    document = workflow(
        "Fails",
        {
            "zero": ("sub", {"a": 1, "b": 1}),
            "divide": ("div", {"a": 1}),
            "never": ("add", {"b": 1}),
        },
        ["zero.value -> divide.b", "divide.value -> never.a"],
    )
    done = client.workflow_repo.create_workflow(document).start()
    assert done.wait(60).state is JobStatus.FAILED
    assert done.outputs.values("zero") == [0]
    assert done.outputs.of("divide") == done.outputs.of("never") == ()


@pytest.fixture
def photo(client: InvokeAIClient, picture: bytes) -> Iterator[str]:
    """Upload an image, and return its name."""
    record = client.image_repo.upload(picture)
    yield record.image_name
    client.image_repo.delete(record.image_name)


@pytest.mark.parametrize("final", [["blur"], ["photo", "blur", "control"], []])
def test_images_of_a_run_are_those_that_it_made(client: InvokeAIClient, photo: str, final: list[str]) -> None:
    """Neither the image that a node passes on, nor the image in a ControlNet's output, is a result."""
    model = client.dnn_model_repo.list_models(base="sd-1", type="main")[0]
    identifier = {name: getattr(model, name) for name in ("key", "hash", "name", "base", "type")}
    document = workflow(
        "Blur",
        {
            "photo": ("image", {}),
            "control": ("controlnet", {"control_model": identifier, "image": {"image_name": photo}}),
            "blur": ("img_blur", {"radius": 8}),
        },
        ["photo.image -> blur.image"],
        [("photo", "image")],
        final=final,
    )
    done = run(client, document, image=photo)
    assert done.outputs.of("control")[0].image_names == done.outputs.of("photo")[0].image_names == (photo,)
    assert [image.name for image in done.images] == list(done.outputs.of("blur")[0].image_names)
    client.image_repo.delete(done.images[0].name)


@pytest.mark.parametrize("gallery", [False, True])
def test_images_of_the_reported_workflow(client: InvokeAIClient, picture: bytes, gallery: bool) -> None:
    """The case ``run-images-hold-the-input``: the first image of the run was the uploaded photo."""
    document = json.loads((CASES / "run-images-hold-the-input-workflow.json").read_text())
    for node in document["nodes"]:
        node["data"]["isIntermediate"] = not gallery
    done = run(client, document, photo=picture)
    [image] = done.images
    assert [image.name] == list(done.outputs.of("blur")[0].image_names)
    assert image.bytes() != picture
    client.image_repo.delete([image, *done.outputs.of("in")[0].image_names])


def test_inputs_of_a_failed_run_are_not_its_images(client: InvokeAIClient, photo: str) -> None:
    document = workflow(
        "Fails",
        {"photo": ("image", {"image": {"image_name": photo}}), "divide": ("div", {"a": 1, "b": 0})},
        [],
        final=["photo"],
    )
    done = client.workflow_repo.create_workflow(document).start()
    assert done.wait(60).state is JobStatus.FAILED
    assert done.images == []


@pytest.mark.since("6.14")
def test_failed_called_workflow_has_its_images(client: InvokeAIClient, save: Save) -> None:
    inner = save(
        workflow(
            "Inner",
            {
                "draw": blank(9),
                "divide": ("div", {"a": 1, "b": 0}),
                "return": ("workflow_return", {}),
            },
            [],
            final=["draw"],
        )
    )
    document = workflow("Outer", {"call": ("call_saved_workflow", {"workflow_id": inner})}, [])
    done = client.workflow_repo.create_workflow(document).start()
    assert done.wait(60).state is JobStatus.FAILED
    with pytest.raises(RunFailedError) as caught:
        done.result()
    assert caught.value.node_id == "call"
    [call] = done.outputs.called
    assert len(call.results.of("draw")) == 1
    assert done.outputs.image_names() == call.results.image_names() != ()
    client.image_repo.delete(done.outputs.image_names())


@pytest.mark.since("6.14")
def test_retry_of_an_item_of_a_called_workflow(client: InvokeAIClient, save: Save) -> None:
    """The server retries the run that called the workflow, once for all items of the run."""
    inner = save(workflow("Inner", {"d": ("div", {"a": 1, "b": 0}), "return": ("workflow_return", {})}, []))
    document = workflow("Outer", {"call": ("call_saved_workflow", {"workflow_id": inner})}, [])
    root = client.workflow_repo.create_workflow(document).start()
    assert root.wait(60).state is JobStatus.FAILED
    [child] = [
        job.item_id for job in client.queue_repo.items(batch_id=root.batch_id) if job.item_id != root.item_id
    ]
    assert child is not None

    def roots() -> list[int]:
        jobs = client.queue_repo.items(batch_id=root.batch_id)
        return [job.item_id or 0 for job in jobs if job.metadata.get("parent_item_id") is None]

    first = client.queue_repo.retry(child)
    assert first == {child: roots()[-1]}
    client.run(first[child]).wait(60)
    second = client.run(child).retry()
    assert second.item_id == roots()[-1] > first[child]
    second.wait(60)
    third = client.queue_repo.retry([child, root.item_id])
    assert third == {child: roots()[-1], root.item_id: roots()[-1]}
    client.run(third[child]).wait(60)
    [again] = [
        job.item_id
        for job in client.queue_repo.items(batch_id=root.batch_id)
        if job.metadata.get("parent_item_id") == second.item_id
    ]
    assert again is not None
    assert client.queue_repo.retry(again) == {again: roots()[-1]}
    assert len(roots()) == 5
    client.queue_repo.cancel_all()


@pytest.mark.since("6.14")
def test_sweep_runs_have_the_outputs_of_called_workflows(client: InvokeAIClient, save: Save) -> None:
    inner = save(
        returning("Inner", {"sum": ("add", {"a": 1, "b": 2}), "draw": blank(11)}, [], total="sum.value")
    )
    document = workflow(
        "Outer",
        {"call": ("call_saved_workflow", {"workflow_id": inner}), "sum": ("add", {"a": 0, "b": 1})},
        [],
        [("sum", "a")],
        labels={("sum", "a"): "First Number"},
    )
    check_a_sweep(client, document, calls=1)


def test_sweep_runs_have_outputs(client: InvokeAIClient) -> None:
    plain = workflow("Plain", {"sum": ("add", {"a": 0, "b": 1})}, [], [("sum", "a")])
    check_a_sweep(client, plain, calls=0)


def check_a_sweep(client: InvokeAIClient, document: dict[str, Any], calls: int) -> None:
    sweep = client.workflow_repo.create_workflow(named(document, sum="My Sum")).sweep(a=[10, 20])
    done = list(sweep.wait())
    assert [one.outputs.values("My Sum") for one in done] == [[11], [21]]
    assert [one.outputs.values(0) for one in done] == [[11], [21]]
    assert [len(one.outputs.called) for one in done] == [calls, calls]
    assert [len(one.images) for one in done] == [calls, calls]
    client.image_repo.delete({name for one in done for name in one.outputs.image_names()})


def test_save_uses_image_names_or_inputs(client: InvokeAIClient, tmp_path: Path) -> None:
    pictures = {"first": blank(11), "second": blank(12), "third": blank(13)}
    made = run(client, workflow("Three pictures", pictures, []))
    assert len(made.images) == 3
    data = [image.bytes() for image in made.images]
    assert len(set(data)) == 3

    paths = made.save(f"{tmp_path}/new/")
    assert paths == [tmp_path / "new" / image.name for image in made.images]
    assert [path.read_bytes() for path in paths] == data
    (tmp_path / "there").mkdir()
    assert made.save(tmp_path / "there") == [tmp_path / "there" / path.name for path in paths]

    paths = made.save(tmp_path / "same.png")
    assert [path.name for path in paths] == ["same.png", "same-2.png", "same-3.png"]
    assert [path.read_bytes() for path in paths] == data
    paths[1].write_bytes(b"of another run")
    assert made.save(tmp_path / "same.png") == paths
    assert paths[1].read_bytes() == data[1]

    paths = made.save(f"{tmp_path}/{{item}}/{{index:02}}-{{image}}")
    assert paths == [
        tmp_path / str(made.item_id) / f"{number:02}-{image.name}" for number, image in enumerate(made.images)
    ]
    assert [path.read_bytes() for path in paths] == data


def test_save_names_images_by_inputs(client: InvokeAIClient, tmp_path: Path) -> None:
    made = run(client, sd1(), model="tiny-sd1", positive_prompt="a fox / at dawn", seed=8)
    [path] = made.save(f"{tmp_path}/{{positive_prompt}}-{{seed:03}}.png")
    assert path == tmp_path / "a fox _ at dawn-008.png"
    assert path.read_bytes() == made.images[0].bytes()
    assert made.save(tmp_path / "{model}.png") == [tmp_path / "tiny-sd1.png"]


def test_invalid_template_raises_before_downloading(client: InvokeAIClient, tmp_path: Path) -> None:
    made = run(client, workflow("Picture", {"picture": blank(14)}, []))
    sent = client.connection.http.sent
    with pytest.raises(UsageError, match=r"Unknown name \{sede\} .*expected one of .*\{image\}"):
        made.save(tmp_path / "{sede}.png")
    with pytest.raises(UsageError, match="Invalid template"):
        made.save(f"{tmp_path}/{{image.png")
    with pytest.raises(UsageError, match="does not work for the value"):
        made.save(f"{tmp_path}/{{image:04d}}.png")
    assert client.connection.http.sent == sent
    assert list(tmp_path.iterdir()) == []
    without = run(client, workflow("Sum", {"sum": ("add", {"a": 1, "b": 2})}, []))
    assert without.save(tmp_path) == []
    with pytest.raises(UsageError, match="sede"):
        without.save(tmp_path / "{sede}.png")


def test_error_names_deleted_images(client: InvokeAIClient, tmp_path: Path) -> None:
    made = run(client, workflow("Two pictures", {"first": blank(15), "second": blank(16)}, []))
    gone, kept = made.images
    client.image_repo.delete(gone.name)
    with pytest.raises(TransferError, match=gone.name) as caught:
        made.save(tmp_path / "picture.png")
    assert [*caught.value.failed] == [gone.name]
    assert [path.name for path in tmp_path.iterdir()] == ["picture-2.png"]
    assert (tmp_path / "picture-2.png").read_bytes() == kept.bytes()


def test_save_before_the_end_raises(client: InvokeAIClient, tmp_path: Path) -> None:
    started = client.workflow_repo.create_workflow(workflow("Picture", {"picture": blank(17)}, [])).start()
    with pytest.raises(RunNotFinishedError):
        started.save(tmp_path)
    started.wait(60)
    assert len(started.save(tmp_path)) == 1
