"""Axes into one batch: in the server's order, with every value checked."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from typing import Any

import pytest
import workflows

from invokeai_py_client.errors import (
    AmbiguousInputError,
    InputValueError,
    UnknownInputError,
    UsageError,
)
from invokeai_py_client.schema.reference import reference_schema
from invokeai_py_client.sweep.plan import batch_data, points, read_axes
from invokeai_py_client.workflow.definition import WorkflowDefinition
from invokeai_py_client.workflow.inputs import InputSet
from invokeai_py_client.workflow.load import load_workflow


@pytest.fixture(scope="module")
def inputs() -> InputSet:
    schema = reference_schema()
    return InputSet(load_workflow(WorkflowDefinition.from_dict(workflows.sd1()), schema), schema)


def server_order(data: list[list[dict[str, Any]]]) -> list[tuple[Any, ...]]:
    """The values of each item, as a server makes them: a product over the outer list, zips inside it."""
    zipped = [list(zip(*(datum["items"] for datum in group), strict=True)) for group in data]
    return [tuple(itertools.chain(*combination)) for combination in itertools.product(*zipped)]


def plan(inputs: InputSet, axes: Mapping[Any, Iterable[Any]], mode: str = "product") -> tuple[Any, Any]:
    read = read_axes(inputs, axes)
    return batch_data(read, mode), points(read, mode)


def test_a_product_is_one_entry_for_each_axis(inputs: InputSet) -> None:
    data, _ = plan(inputs, {"cfg_scale": [4, 6.5], "scheduler": ["euler", "unipc"]})
    assert data == [
        [{"node_path": "denoise", "field_name": "cfg_scale", "items": [4, 6.5]}],
        [{"node_path": "denoise", "field_name": "scheduler", "items": ["euler", "unipc"]}],
    ]


def test_a_zip_is_one_entry_for_all(inputs: InputSet) -> None:
    data, found = plan(inputs, {"steps": [1, 2, 3], "seed": [7, 8, 9]}, "zip")
    assert [[datum["field_name"] for datum in entry] for entry in data] == [["steps", "seed"]]
    assert [tuple(point.values()) for point in found] == [(1, 7), (2, 8), (3, 9)] == server_order(data)


def test_each_run_knows_its_values_in_the_servers_order(inputs: InputSet) -> None:
    data, found = plan(inputs, {"steps": [1, 2], "cfg_scale": (3.0, 4.0, 5.0), "seed": range(4)})
    assert len(found) == 24
    assert [tuple(point.values()) for point in found] == server_order(data)
    assert found[0] == {"steps": 1, "cfg_scale": 3.0, "seed": 0}
    assert found[1]["seed"] == 1  # the last axis varies fastest


def test_axes_may_be_any_iterable_and_any_address(inputs: InputSet) -> None:
    index = next(item.input_index for item in inputs if item.field_name == "steps")
    data, found = plan(inputs, {index: (n for n in (1, 2)), "noise.seed": {5: "five"}.keys()})
    assert [(entry[0]["node_path"], entry[0]["field_name"], entry[0]["items"]) for entry in data] == [
        ("denoise", "steps", [1, 2]),
        ("noise", "seed", [5]),
    ]
    assert [tuple(point.values()) for point in found] == [(1, 5), (2, 5)]


def test_no_axes_are_one_run(inputs: InputSet) -> None:
    assert plan(inputs, {}) == ([], [{}])


def test_all_bad_values_are_told_with_axis_and_position(inputs: InputSet) -> None:
    with pytest.raises(InputValueError) as caught:
        read_axes(inputs, {"steps": [1, "many", 3], "scheduler": ["nope"]})
    first, second = str(caught.value).splitlines()
    assert first.startswith("axis 'steps', value 1: ")
    assert second.startswith("axis 'scheduler', value 0: ")


@pytest.mark.parametrize(
    ("axes", "kind", "match"),
    [
        ({"steps": 4}, UsageError, r"'steps' needs a list of values, not 4"),
        ({"prompt": "one text"}, UsageError, "needs a list of values, not 'one text'"),
        ({"steps": {"from": 1}}, UsageError, "needs a list of values"),
        ({"steps": []}, UsageError, "'steps' has no values"),
        ({"stepz": [1]}, UnknownInputError, "stepz"),
        ({"prompt": ["a"]}, AmbiguousInputError, "prompt"),
        ({"model.model": ["sd-1"]}, UsageError, "one batch cannot vary"),
        ({"denoise.steps": [1], "steps": [2]}, UsageError, "'steps' is the same input as the axis"),
        ({"denoise.noise": [1]}, UsageError, "of type LatentsField, which one batch cannot vary"),
    ],
)
def test_axes_that_cannot_be(
    inputs: InputSet, axes: dict[str, Any], kind: type[Exception], match: str
) -> None:
    with pytest.raises(kind, match=match):
        read_axes(inputs, axes)


def test_values_that_only_the_nodes_class_refuses(inputs: InputSet) -> None:
    """The schema allows them, and so does enqueueing: the server's queue would stop at the first such run."""
    with pytest.raises(
        InputValueError, match=r"denoise with cfg_scale = 0\.5: cfg_scale: at least 1 is needed"
    ):
        plan(inputs, {"cfg_scale": [4, 0.5]})
    with pytest.raises(InputValueError) as caught:
        plan(inputs, {"cfg_scale": [n / 100 for n in range(40)], "seed": range(3)})
    assert len(str(caught.value).splitlines()) == 11
    assert str(caught.value).endswith("... and 30 more.")


@pytest.mark.parametrize(("mode", "fits"), [("zip", True), ("product", False)])
def test_values_that_do_not_go_together(mode: str, fits: bool) -> None:
    schema = reference_schema()
    nodes = {"r": ("range", {"start": 0, "stop": 10, "step": 1})}
    document = workflows.workflow("w", nodes, [], [("r", "start"), ("r", "stop")])
    inputs = InputSet(load_workflow(WorkflowDefinition.from_dict(document), schema), schema)
    axes = {"start": [0, 5], "stop": [3, 8]}
    if fits:
        assert len(plan(inputs, axes, mode)[1]) == 2
        return
    with pytest.raises(InputValueError, match=r"r with start = 5, stop = 3: stop: more than the start, 5"):
        plan(inputs, axes, mode)


def test_what_is_not_varied_counts_too() -> None:
    schema = reference_schema()
    nodes = {"r": ("range", {"start": 0, "stop": 10, "step": 1})}
    document = workflows.workflow("w", nodes, [], [("r", "start"), ("r", "stop")])
    inputs = InputSet(load_workflow(WorkflowDefinition.from_dict(document), schema), schema)
    with pytest.raises(InputValueError, match="stop"):
        plan(inputs, {"stop": [5, -1]})
    inputs.set({"start": 7})
    with pytest.raises(InputValueError, match=r"stop = 5"):
        plan(inputs, {"stop": [5, 8]})


def test_no_value_is_no_value_of_an_axis(inputs: InputSet) -> None:
    with pytest.raises(InputValueError, match=r"axis 'positive\.prompt', value 1: None cannot be sent"):
        read_axes(inputs, {"positive.prompt": ["a", None]})


def test_reading_axes_sets_nothing(inputs: InputSet) -> None:
    before = inputs.values()
    read_axes(inputs, {"steps": [11, 12]})
    assert inputs.values() == before


@pytest.mark.parametrize("mode", ["zipped", "", None])
def test_an_unknown_mode(inputs: InputSet, mode: Any) -> None:
    with pytest.raises(UsageError, match="'product' or 'zip'"):
        batch_data(read_axes(inputs, {"steps": [1]}), mode)


def test_a_zip_of_different_lengths_names_them(inputs: InputSet) -> None:
    with pytest.raises(UsageError, match=r"equally many values.*'steps': 2.*'seed': 3"):
        batch_data(read_axes(inputs, {"steps": [1, 2], "seed": [1, 2, 3]}), "zip")
