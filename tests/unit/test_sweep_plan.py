"""Sweep plans: runs in the server's order, with checked values."""

from __future__ import annotations

import importlib
import itertools
import pickle
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
import workflows

from invokeai_py_client.engine.definition import WorkflowDefinition
from invokeai_py_client.engine.inputs import InputSet
from invokeai_py_client.engine.load import load_workflow
from invokeai_py_client.errors import (
    AmbiguousInputError,
    InputError,
    InputValueError,
    UnknownInputError,
    UsageError,
)
from invokeai_py_client.schema.reference import reference_schema
from invokeai_py_client.sweep.axes import read_axes
from invokeai_py_client.sweep.plan import SweepPlan, is_single_seed, plan_rows, plan_sweep
from invokeai_py_client.sweep.requests import Request
from invokeai_py_client.sweep.rows import rows_of
from invokeai_py_client.sweep.sources import values_for


@pytest.fixture(scope="module")
def inputs() -> InputSet:
    schema = reference_schema()
    return InputSet(load_workflow(WorkflowDefinition.from_dict(workflows.sd1()), schema), schema)


def server_order(data: list[list[dict[str, Any]]]) -> list[tuple[Any, ...]]:
    """Return the values of each item as a server expands them: a product of the groups, each of them zipped."""
    zipped = [list(zip(*(datum["items"] for datum in group), strict=True)) for group in data]
    return [tuple(itertools.chain(*combination)) for combination in itertools.product(*zipped)]


def plan(inputs: InputSet, axes: Mapping[Any, Iterable[Any]], mode: str = "product") -> tuple[Any, Any]:
    found = plan_sweep(inputs, axes, mode=mode)
    [part] = found.parts
    return part.data(), list(found.points())


def test_product_has_one_group_per_axis(inputs: InputSet) -> None:
    data, _ = plan(inputs, {"cfg_scale": [4, 6.5], "scheduler": ["euler", "unipc"]})
    assert data == [
        [{"node_path": "denoise", "field_name": "cfg_scale", "items": [4, 6.5]}],
        [{"node_path": "denoise", "field_name": "scheduler", "items": ["euler", "unipc"]}],
    ]


def test_zip_has_one_group_for_all_axes(inputs: InputSet) -> None:
    data, found = plan(inputs, {"steps": [1, 2, 3], "seed": [7, 8, 9]}, "zip")
    assert [[datum["field_name"] for datum in entry] for entry in data] == [["steps", "seed"]]
    assert [tuple(point.values()) for point in found] == [(1, 7), (2, 8), (3, 9)] == server_order(data)


def test_runs_are_in_the_order_of_the_server(inputs: InputSet) -> None:
    data, found = plan(inputs, {"steps": [1, 2], "cfg_scale": (3.0, 4.0, 5.0), "seed": range(4)})
    assert len(found) == 24
    assert [tuple(point.values()) for point in found] == server_order(data)
    assert found[0] == {"steps": 1, "cfg_scale": 3.0, "seed": 0}
    assert found[1]["seed"] == 1  # the last axis varies fastest


def test_axes_accept_any_iterable_and_any_address(inputs: InputSet) -> None:
    index = next(item.input_index for item in inputs if item.field_name == "steps")
    data, found = plan(inputs, {index: (n for n in (1, 2)), "noise.seed": {5: "five"}.keys()})
    assert [(entry[0]["node_path"], entry[0]["field_name"], entry[0]["items"]) for entry in data] == [
        ("denoise", "steps", [1, 2]),
        ("noise", "seed", [5]),
    ]
    assert [tuple(point.values()) for point in found] == [(1, 5), (2, 5)]


def test_no_axes_make_one_run(inputs: InputSet) -> None:
    assert plan(inputs, {}) == ([], [{}])


def test_all_invalid_values_are_reported_with_axis_and_position(inputs: InputSet) -> None:
    with pytest.raises(InputValueError) as caught:
        read_axes(inputs, {"steps": [1, "many", 3], "scheduler": ["nope"]})
    first, second = str(caught.value).splitlines()
    assert first.startswith("Axis 'steps', value 1: ")
    assert second.startswith("Axis 'scheduler', value 0: ")


@pytest.mark.parametrize(
    ("axes", "kind", "match"),
    [
        ({"steps": {"from": 1}}, InputValueError, "Axis 'steps', value 0"),
        ({"steps": []}, UsageError, "'steps' has no values"),
        ({"stepz": [1]}, UnknownInputError, "stepz"),
        ({"prompt": ["a"]}, AmbiguousInputError, "prompt"),
        ({"model.model": [5]}, InputValueError, "Axis 'model.model', value 0"),
        ({"denoise.steps": [1], "steps": [2]}, UsageError, "'steps' varies the same input as the axis"),
        ({"denoise.noise": [1]}, InputError, "a connection from"),
    ],
)
def test_invalid_axes_are_rejected(
    inputs: InputSet, axes: dict[str, Any], kind: type[Exception], match: str
) -> None:
    with pytest.raises(kind, match=match):
        read_axes(inputs, axes)


def test_values_are_checked_against_rules_of_the_node(inputs: InputSet) -> None:
    """The schema and the server's enqueue route accept them, but the queue would stop at the first such run."""
    with pytest.raises(
        InputValueError, match=r"CFG Scale \(denoise\): 0\.5 is not valid; expected a number of at least 1"
    ):
        plan(inputs, {"cfg_scale": [4, 0.5]})
    with pytest.raises(InputValueError) as caught:
        plan(inputs, {"cfg_scale": [n / 100 for n in range(40)], "seed": range(3)})
    assert len(str(caught.value).splitlines()) == 11
    assert str(caught.value).endswith("... and 30 more.")


@pytest.mark.parametrize(("mode", "valid"), [("zip", True), ("product", False)])
def test_combinations_of_values_are_checked(mode: str, valid: bool) -> None:
    schema = reference_schema()
    nodes = {"r": ("range", {"start": 0, "stop": 10, "step": 1})}
    document = workflows.workflow("w", nodes, [], [("r", "start"), ("r", "stop")])
    inputs = InputSet(load_workflow(WorkflowDefinition.from_dict(document), schema), schema)
    axes = {"start": [0, 5], "stop": [3, 8]}
    if valid:
        assert len(plan(inputs, axes, mode)[1]) == 2
        return
    with pytest.raises(
        InputValueError, match=r"Stop \(r\): 3 is not valid with start = 5; expected .* than start"
    ):
        plan(inputs, axes, mode)


def test_combinations_with_fixed_values_are_checked() -> None:
    schema = reference_schema()
    nodes = {"r": ("range", {"start": 0, "stop": 10, "step": 1})}
    document = workflows.workflow("w", nodes, [], [("r", "start"), ("r", "stop")])
    inputs = InputSet(load_workflow(WorkflowDefinition.from_dict(document), schema), schema)
    with pytest.raises(InputValueError, match="-1 is not valid"):
        plan(inputs, {"stop": [5, -1]})
    inputs.set({"start": 7})
    with pytest.raises(InputValueError, match=r"Stop \(r\): 5 is not valid; expected .* start \(7\)"):
        plan(inputs, {"stop": [5, 8]})


def test_none_is_not_a_value_of_an_axis(inputs: InputSet) -> None:
    with pytest.raises(InputValueError, match=r"Axis 'positive\.prompt', value 1: None is not a value"):
        read_axes(inputs, {"positive.prompt": ["a", None]})


def test_reading_axes_does_not_change_inputs(inputs: InputSet) -> None:
    before = inputs.values()
    read_axes(inputs, {"steps": [11, 12]})
    assert inputs.values() == before


@pytest.mark.parametrize("mode", ["zipped", "", None])
def test_unknown_mode_is_rejected(inputs: InputSet, mode: Any) -> None:
    with pytest.raises(UsageError, match="'product' or 'zip'"):
        plan_sweep(inputs, {"steps": [1]}, mode=mode)


def test_zip_of_different_lengths_is_rejected(inputs: InputSet) -> None:
    with pytest.raises(UsageError, match="steps has 2, seed has 3"):
        plan_sweep(inputs, {"steps": [1, 2], "seed": [1, 2, 3]}, mode="zip")


# --------------------------------------------------------------------------- sources of values


def test_single_value_is_an_axis(inputs: InputSet) -> None:
    item = inputs.find("steps")
    assert values_for("steps", item, 4) == (4,)
    assert values_for("positive.prompt", inputs.find("positive.prompt"), "one text") == ("one text",)


def test_folders_and_patterns_of_images(tmp_path: Path) -> None:
    schema = reference_schema()
    document = workflows.workflow("w", {"i": ("image", {})}, [], [("i", "image")])
    item = InputSet(load_workflow(WorkflowDefinition.from_dict(document), schema), schema).find("image")
    for name in ("b.png", "a.jpg", "notes.txt"):
        (tmp_path / name).write_bytes(b"")
    both = (tmp_path / "a.jpg", tmp_path / "b.png")
    assert values_for("image", item, tmp_path) == values_for("image", item, str(tmp_path)) == both
    assert values_for("image", item, tmp_path / "*.png") == (tmp_path / "b.png",)
    assert values_for("image", item, "on-the-server.png") == ("on-the-server.png",)
    with pytest.raises(UsageError, match=r"No file matches the pattern .*\*\.gif"):
        values_for("image", item, tmp_path / "*.gif")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="contains no images"):
        values_for("image", item, tmp_path / "empty")


class Column:
    """A column like that of polars, which has ``to_list()`` and no ``tolist()``."""

    def __init__(self, *values: Any) -> None:
        self.values = values

    def to_list(self) -> list[Any]:
        return list(self.values)


class Array(Column):
    """An array like that of numpy, which has ``tobytes()`` as images do."""

    def __iter__(self) -> Any:
        return iter(map(Array, self.values))

    def tolist(self) -> Any:
        return list(self.values)

    def tobytes(self) -> bytes:
        return b""


def arrays() -> list[Any]:
    """Axes of the values 4, 6 and 8 in every kind of array that is installed."""
    found: list[Any] = [Array(4, 6, 8), Column(4, 6, 8), (n for n in (4, 6, 8)), {4: 0, 6: 0, 8: 0}.keys()]
    makers: dict[str, Callable[[Any], list[Any]]] = {
        "numpy": lambda it: [it.linspace(4, 8, 3), it.arange(4, 9, 2), it.array([4, 6, 8], dtype=it.float32)],
        "pandas": lambda it: [it.Series([4, 6, 8]), it.Index([4, 6, 8]), it.array([4, 6, 8], dtype="Int64")],
        "polars": lambda it: [it.Series([4, 6, 8])],
    }
    for library, make in makers.items():
        try:
            found += make(importlib.import_module(library))
        except ImportError:
            continue
    return found


@pytest.mark.parametrize("values", arrays(), ids=lambda value: type(value).__module__ + type(value).__name__)
def test_arrays_are_axes_like_lists(inputs: InputSet, values: Any) -> None:
    _, points = plan(inputs, {"steps": values})
    assert [point["steps"] for point in points] == [4, 6, 8]


def test_arrays_of_texts_and_seeds(inputs: InputSet) -> None:
    numpy = pytest.importorskip("numpy")
    _, points = plan(inputs, {"positive.prompt": numpy.array(["a", "b"]), "seed": numpy.arange(2)})
    assert [tuple(point.values()) for point in points] == [("a", 0), ("a", 1), ("b", 0), ("b", 1)]
    assert plan_sweep(inputs, {"steps": [1]}, seed=numpy.int64(5), repeat=2).count == 2
    assert plan(inputs, {"cfg_scale": numpy.array(5.0)})[1] == [{"cfg_scale": 5.0}]  # a single number
    with pytest.raises(InputValueError, match="Axis 'steps', value 0"):
        plan(inputs, {"steps": numpy.ones((2, 2))})


@pytest.mark.parametrize(
    ("seed", "expected"),
    [
        (5, True),
        (5.0, True),
        ("random", True),
        ("1-10", False),
        ([1], False),
        (range(3), False),
        (Array(1, 2), False),
        (True, False),
        (None, False),
    ],
)
def test_single_seeds(seed: Any, expected: bool) -> None:
    assert is_single_seed(seed) == expected


def test_data_frame_is_not_an_axis(inputs: InputSet) -> None:
    pandas = pytest.importorskip("pandas")
    with pytest.raises(UsageError, match="A DataFrame is a table: pass one of its columns"):
        plan(inputs, {"steps": pandas.DataFrame({"steps": [1, 2]})})


# --------------------------------------------------------------------------- requests


def requests_of(found: SweepPlan) -> list[Request]:
    """Return the requests of a plan with only their batch data."""
    return [
        Request(
            part.first,
            part.count,
            part.fixed,
            tuple({axis.name: axis.values for axis in group} for group in part.groups),
            {"prepend": False, "batch": {"graph": {}, "data": part.data(), "runs": 1}},
        )
        for part in found.parts
    ]


def test_models_need_a_request_per_value(inputs: InputSet) -> None:
    found = plan_sweep(inputs, {"steps": [1, 2], "model.model": ["one", "two"]})
    assert found.axes == ("model", "steps")  # the slowest axis is outermost
    assert [(part.fixed, part.first, part.count) for part in found.parts] == [
        ({"model": "one"}, 0, 2),
        ({"model": "two"}, 2, 2),
    ]
    assert [point["steps"] for point in found.points()] == [1, 2, 1, 2]


def test_rows_of_the_same_model_share_a_request(inputs: InputSet) -> None:
    rows = [{"model.model": name, "steps": steps} for name, steps in (("a", 1), ("b", 2), ("a", 3))]
    found = plan_rows(inputs, rows_of(rows))
    assert [(part.fixed["model"], part.count) for part in found.parts] == [("a", 2), ("b", 1)]
    assert [point["steps"] for point in found.points()] == [1, 3, 2]


def test_row_without_a_value_keeps_that_of_the_workflow(inputs: InputSet) -> None:
    own = inputs.find("steps").value
    found = plan_rows(inputs, rows_of([{"steps": 7, "seed": 1}, {"seed": 2}]))
    assert [point["steps"] for point in found.points()] == [7, own]
    with pytest.raises(InputValueError, match=r"row 2: 'model\.model' has no value"):
        plan_rows(inputs, rows_of([{"model.model": "a"}, {"steps": 3}]))


def test_table_without_rows_is_an_error_with_the_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"^The table has no rows"):
        rows_of([])
    for name, text in {"a.csv": "", "b.csv": "steps\n", "c.jsonl": "\n", "d.json": "[]"}.items():
        path = tmp_path / name
        path.write_text(text)
        with pytest.raises(UsageError, match=rf"{name} has no rows"):
            rows_of(path)


def test_invalid_cells_are_reported_with_line_and_column(inputs: InputSet, tmp_path: Path) -> None:
    path = tmp_path / "runs.csv"
    path.write_text("steps,1\n12,a fox\nmany,a hen\n0,\n")
    with pytest.raises(InputValueError) as caught:
        plan_rows(inputs, rows_of(path))
    first, second = str(caught.value).splitlines()
    assert first.startswith("runs.csv, line 3, column 'steps': ")
    assert second.startswith("runs.csv, line 4, column 'steps': ")
    path.write_text("steps,1\n12,a fox\n")
    [point] = plan_rows(inputs, rows_of(path)).points()
    assert point == {"steps": 12, inputs.name_of(inputs[1]): "a fox"}


def points_of(inputs: InputSet, folder: Path, text: str) -> list[dict[str, Any]]:
    path = folder / "runs.csv"
    path.write_text(text)
    return list(plan_rows(inputs, rows_of(path)).points())


def test_decimal_commas(inputs: InputSet, tmp_path: Path) -> None:
    found = points_of(inputs, tmp_path, "steps;cfg_scale\n2;7,5\n4,0;6,0\n8;[7, 5, 1]\n8;1.234,5\n")
    assert found == [
        {"steps": 2, "cfg_scale": 7.5},
        {"steps": 4, "cfg_scale": 6},
        {"steps": 8, "cfg_scale": [7, 5, 1]},
        {"steps": 8, "cfg_scale": 1234.5},
    ]


@pytest.mark.parametrize(
    ("text", "match"),
    [
        # A list of two numbers, or a number with a decimal comma?
        (
            'steps,cfg_scale\n2,"7,5"\n',
            r"line 2, column 'cfg_scale': '7,5' is ambiguous\. Write 7\.5 .*\[7, 5\]",
        ),
        ("steps;cfg_scale\n2;7,5\n2;7.5\n", r"line 2, column 'cfg_scale': '7,5' is ambiguous"),
        ('steps,cfg_scale\n2,"1,234.5"\n', r"line 2, column 'cfg_scale': .* is ambiguous\. Write 1234\.5"),
        ("steps;cfg_scale\n2;7.5,3\n", r"line 2, column 'cfg_scale': '7\.5,3' is ambiguous"),
        ('steps\n"4,0"\n', r"line 2, column 'steps': .*'4,0' is not valid.* Write 4\.0\."),
        ('steps\n"1,000"\n', r"line 2, column 'steps': .*'1,000' is not valid.* Write 1000 or 1\.000\."),
        ("steps;seed\n2,5;1\n", r"line 2, column 'steps': "),
        ("steps,Steps\n3,4\n", r"line 1: the columns 'steps' and 'Steps' set the same input"),
        ("steps,Steps\n3,\n,4\n", r"line 1: the columns 'steps' and 'Steps' set the same input"),
        ("steps,stepz\n3,4\n", r"line 1, column 'stepz': .*'stepz'"),
        ("steps,prompt\n3,4\n", r"line 1, column 'prompt': .*'prompt'"),
        ("steps,cfg_scale\n3,4\n3,0.5\n", r"line 3: .*0\.5 is not valid"),
    ],
)
def test_table_errors_have_a_location(inputs: InputSet, tmp_path: Path, text: str, match: str) -> None:
    with pytest.raises(
        InputError if "the columns" not in match else UsageError, match=rf"^runs\.csv, {match}"
    ):
        points_of(inputs, tmp_path, text)


def names_of_runs(found: SweepPlan) -> list[tuple[str, Any]]:
    return [
        (found.names[part.row(index)], part.point(index)["steps"])
        for part in found.parts
        for index in range(part.count)
    ]


@pytest.mark.parametrize(
    "rows",
    [
        [{"name": f"run {n}", "steps": n} for n in (1, 2, 3)],
        [{"name": f"run {n}", "steps": n, "model": "ab"[n % 2]} for n in (1, 2, 3)],
        [{"name": f"run {n}", "steps": n, "model": "a"} for n in (1,)],
    ],
)
@pytest.mark.parametrize("options", [{}, {"repeat": 2}, {"repeat": 2, "seed": "random"}, {"seed": "random"}])
def test_column_name_names_the_runs(
    inputs: InputSet, rows: list[dict[str, Any]], options: dict[str, Any]
) -> None:
    found = plan_rows(inputs, rows_of(rows), **options)
    assert found.axes[0] != "name"
    runs = names_of_runs(found)
    assert len(runs) == len(rows) * options.get("repeat", 1)
    assert all(name == f"run {steps}" for name, steps in runs)


def test_names_of_rows(inputs: InputSet) -> None:
    found = plan_rows(inputs, rows_of([{"name": " a ", "steps": 1}, {"steps": 2}, {"name": 3.0, "steps": 3}]))
    assert found.names == ("a", "", "3")
    assert plan_rows(inputs, rows_of([{"steps": 1}])).names == ()
    only_names = plan_rows(inputs, rows_of([{"name": "a"}, {"name": "b"}]))
    assert [only_names.names[part.row(0)] for part in only_names.parts] == ["a", "b"]
    copy: SweepPlan = pickle.loads(pickle.dumps(found))
    assert names_of_runs(copy) == names_of_runs(found)


def test_input_called_name_is_an_input() -> None:
    schema = reference_schema()
    document = workflows.workflow(
        "w", {"p": ("string", {"value": "x"})}, [], [("p", "value")], labels={("p", "value"): "Name"}
    )
    inputs = InputSet(load_workflow(WorkflowDefinition.from_dict(document), schema), schema)
    found = plan_rows(inputs, rows_of([{"name": "a"}]))
    assert found.names == ()
    assert [list(point.values()) for point in found.points()] == [["a"]]


def test_rows_may_name_an_input_in_different_ways(inputs: InputSet) -> None:
    found = plan_rows(inputs, rows_of([{"steps": 3}, {"Steps": 4}, {"denoise.steps": 5}]))
    assert [point["steps"] for point in found.points()] == [3, 4, 5]
    with pytest.raises(UsageError, match="row 1: the columns 'steps' and 'Steps' set the same input"):
        plan_rows(inputs, rows_of([{"steps": 3, "Steps": 4}]))
    with pytest.raises(InputValueError, match=r"row 1, column 'cfg_scale': .*'7,5'"):
        plan_rows(inputs, rows_of([{"cfg_scale": "7,5"}]))


def test_request_can_be_sent_in_parts(inputs: InputSet) -> None:
    """Runs that did not fit in the queue are sent later with the same values."""
    found = plan_sweep(inputs, {"steps": [1, 2], "cfg_scale": [3.0, 4.0, 5.0]})
    [request] = requests_of(found)
    whole = server_order(request.body["batch"]["data"])
    assert request.body_for(range(6), "b")["batch"]["data"] == found.parts[0].data()
    for rows in ([3, 4, 5], [0], [5, 1]):
        batch = request.body_for(rows, "b")["batch"]
        assert server_order(batch["data"]) == [whole[row] for row in rows]
        assert batch["batch_id"] == "b"
    assert [tuple(request.values(row).values()) for row in range(6)] == whole


# --------------------------------------------------------------------------- seeds


def test_repeats_use_different_seeds(inputs: InputSet) -> None:
    found = plan_sweep(inputs, {"steps": [1, 2]}, repeat=3, seed=100)
    assert [(point["steps"], point["seed"]) for point in found.points()] == [
        (steps, seed) for steps in (1, 2) for seed in (100, 101, 102)
    ]
    drawn = [point["seed"] for point in plan_sweep(inputs, {"steps": [1, 2]}, repeat=3).points()]
    assert drawn[:3] == drawn[3:]  # the same seeds for each combination
    assert len(set(drawn)) == 3


def test_repeats_use_the_same_seeds_in_all_requests(inputs: InputSet) -> None:
    found = plan_sweep(inputs, {"model": ["a", "b"], "steps": [1, 2]}, repeat=2)
    assert len(found.parts) == 2
    drawn = [point["seed"] for point in found.points()]
    assert drawn == drawn[:2] * 4
    assert len(set(drawn)) == 2


def test_random_seeds_differ_and_are_recorded(inputs: InputSet) -> None:
    found = plan_sweep(inputs, {"steps": [1, 2], "cfg_scale": [3.0, 4.0]}, repeat=2, seed="random")
    seeds = [point["seed"] for point in found.points()]
    assert len(set(seeds)) == 8
    [part] = found.parts
    assert [row[-1] for row in server_order(part.data())] == seeds


@pytest.mark.parametrize(
    ("axes", "options", "match"),
    [
        ({"seed": [1]}, {"repeat": 2}, "The seed is both an axis and set by"),
        ({"steps": [1]}, {"repeat": 0}, "Invalid repeat 0"),
        ({"steps": [1]}, {"seed": "dice"}, "expected a whole number, 'random' or 'workflow'"),
        ({"steps": range(1, 2000), "cfg_scale": range(1, 2000)}, {}, "the maximum is 100,000"),
    ],
)
def test_invalid_sweeps_are_rejected(
    inputs: InputSet, axes: dict[str, Any], options: dict[str, Any], match: str
) -> None:
    with pytest.raises(UsageError, match=match):
        plan_sweep(inputs, axes, **options)


def test_repeat_without_a_seed_input_is_rejected() -> None:
    schema = reference_schema()
    inputs = InputSet(load_workflow(WorkflowDefinition.from_dict(workflows.add()), schema), schema)
    with pytest.raises(UsageError, match="has no seed"):
        plan_sweep(inputs, {"a": [1, 2]}, repeat=2)


def test_plan_has_its_own_inputs_and_board(inputs: InputSet) -> None:
    mine = inputs.copy()
    mine.set({"steps": 7})
    found = plan_sweep(mine, {"cfg_scale": [4, 5]}, auto_board="Sweeps")
    mine.set({"steps": 8})
    assert found.auto_board == "Sweeps"
    assert found.inputs_with(None, mine).find("steps").value == 7  # set later, so not part of the plan
    assert found.inputs_with({"steps": 9}, mine).find("steps").value == 9
    assert found.inputs_with(None, mine).find("steps").value == 7
    with pytest.raises(InputValueError):
        found.inputs_with({"steps": "many"}, mine)


def test_additional_values_are_checked_with_the_axes() -> None:
    schema = reference_schema()
    document = workflows.workflow("Range", {"r": ("range", {"start": 0, "stop": 10})}, [])
    inputs = InputSet(load_workflow(WorkflowDefinition.from_dict(document), schema), schema)
    found = plan_sweep(inputs, {"r.start": [1, 5]})
    assert found.inputs_with({"r.stop": 6}, inputs).find("r.stop").value == 6
    with pytest.raises(InputValueError, match="start = 5"):
        found.inputs_with({"r.stop": 5}, inputs)


def test_pickled_plan_has_its_inputs(inputs: InputSet) -> None:
    mine = inputs.copy()
    mine.set({"steps": 7})
    copy: SweepPlan = pickle.loads(pickle.dumps(plan_sweep(mine, {"cfg_scale": [4]}, auto_board="Sweeps")))
    assert copy.inputs_with(None, inputs).find("steps").value == 7
    assert (copy.auto_board, copy.count) == ("Sweeps", 1)


def test_plan_pickled_without_inputs_uses_those_of_the_workflow(inputs: InputSet) -> None:
    whole = plan_sweep(inputs, {"cfg_scale": [4]})
    older = object.__new__(SweepPlan)
    older.__setstate__([whole.axes, whole.parts])  # as the older class was pickled
    assert (older.inputs, older.auto_board, older.count) == (None, None, 1)
    assert older.inputs_with(None, inputs) is inputs
    assert older.inputs_with({"steps": 9}, inputs).find("steps").value == 9
