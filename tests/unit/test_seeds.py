"""Seeds that random nodes draw: setting them, pinning them in sweeps, and reading those that the server drew."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
import workflows

from invokeai_py_client.display.inputs import inputs_text, listed_inputs
from invokeai_py_client.engine.batch import build_data
from invokeai_py_client.engine.definition import WorkflowDefinition
from invokeai_py_client.engine.inputs import InputSet, seed_names
from invokeai_py_client.engine.load import load_workflow
from invokeai_py_client.engine.readiness import find_problems
from invokeai_py_client.engine.request import build_request
from invokeai_py_client.engine.seeds import SeedNames
from invokeai_py_client.errors import (
    AmbiguousInputError,
    InputError,
    InputValueError,
    UnknownInputError,
    UsageError,
)
from invokeai_py_client.run.results import seeds_of_item
from invokeai_py_client.schema.reference import reference_schema
from invokeai_py_client.sweep.plan import plan_rows, plan_sweep
from invokeai_py_client.sweep.rows import rows_of

SCHEMA = reference_schema()
CONNECTOR = {
    "id": "wire",
    "type": "connector",
    "position": {"x": 0, "y": 0},
    "data": {"id": "wire", "type": "connector", "label": "", "isOpen": True},
}


def inputs_of(document: dict[str, Any]) -> InputSet:
    return InputSet(load_workflow(WorkflowDefinition.from_dict(document), SCHEMA), SCHEMA)


def random_noise(
    *edges: str, form: list[tuple[str, str]] | None = None, **more: tuple[str, dict[str, Any]]
) -> dict[str, Any]:
    """Return a workflow in which a random node feeds the seed of a noise node."""
    return workflows.workflow(
        "Random",
        {
            "random": ("rand_int", {"low": 0, "high": 2147483647}),
            "noise": ("noise", {"seed": 0, "width": 64, "height": 64}),
            **more,
        },
        ["random.value -> noise.seed", *edges],
        form=[("noise", "width")] if form is None else form,
    )


def request_of(inputs: InputSet) -> dict[str, Any]:
    loaded, values = inputs.apply_seeds(inputs.values())
    assert find_problems(loaded, SCHEMA, values) == []
    return build_request(loaded, SCHEMA, values)["batch"]


def edges_of(batch: dict[str, Any]) -> list[str]:
    return [
        f"{edge['source']['node_id']} -> {edge['destination']['node_id']}.{edge['destination']['field']}"
        for edge in batch["graph"]["edges"]
    ]


# ------------------------------------------------------------------ one random node


def test_seed_replaces_the_random_node_in_the_request() -> None:
    inputs = inputs_of(random_noise())
    inputs.set({"seed": 7})
    batch = request_of(inputs)
    assert set(batch["graph"]["nodes"]) == {"noise"}
    assert batch["graph"]["nodes"]["noise"]["seed"] == 7
    assert edges_of(batch) == []


def test_attached_workflow_has_the_seed_instead_of_the_edge() -> None:
    """The workflow in an image reproduces it."""
    document = random_noise()
    before = copy.deepcopy(document)
    inputs = inputs_of(document)
    inputs.set({"seed": 7})
    attached = request_of(inputs)["workflow"]
    assert attached["edges"] == []
    assert [node["id"] for node in attached["nodes"]] == ["random", "noise"]
    again = inputs_of(attached)
    assert request_of(again)["graph"]["nodes"]["noise"]["seed"] == 7
    assert document == before


def test_untouched_request_keeps_the_random_node() -> None:
    inputs = inputs_of(random_noise())
    inputs.snapshot()
    seed_names(inputs)
    batch = request_of(inputs)
    assert edges_of(batch) == ["random -> noise.seed"]
    assert "seed" not in batch["graph"]["nodes"]["noise"]


@pytest.mark.parametrize(
    "address",
    ["seed", "Seed", "noise.seed", "random", "random.value", "random.seed", ("noise", "seed"), "rand_int"],
)
def test_seed_is_set_by_the_names_of_its_node_and_its_field(address: Any) -> None:
    inputs = inputs_of(random_noise())
    inputs.set({address: 7})
    assert request_of(inputs)["graph"]["nodes"]["noise"]["seed"] == 7
    assert inputs.snapshot()["seed"] == 7


def test_connected_seed_in_the_form_can_be_set() -> None:
    inputs = inputs_of(random_noise(form=[("noise", "seed")]))
    for address, seed in {0: 5, "Seed": 6}.items():
        inputs.set({address: seed})
        assert request_of(inputs)["graph"]["nodes"]["noise"]["seed"] == seed
        assert inputs.snapshot() == {"seed": seed}
    assert seed_names(inputs).main == ("seed",)
    assert inputs[0].connected
    with pytest.raises(InputError, match=r"set\(seed=7\)"):
        inputs[0].field.value = 3


def test_all_fields_that_the_random_node_feeds_get_the_seed() -> None:
    document = random_noise(
        "random.value -> noise2.seed",
        "random.value -> metadata.seed",
        noise2=("noise", {"seed": 3}),
        metadata=("core_metadata", {}),
    )
    inputs = inputs_of(document)
    inputs.set({"seed": 7})
    nodes = request_of(inputs)["graph"]["nodes"]
    assert [nodes[name]["seed"] for name in ("noise", "noise2", "metadata")] == [7, 7, 7]


def test_seed_passes_through_connectors_and_calculations() -> None:
    document = random_noise()
    document["nodes"].append(copy.deepcopy(CONNECTOR))
    document["edges"] = []
    document["edges"] += [
        workflow_edge("random.value -> wire.in"),
        workflow_edge("wire.out -> noise.seed"),
    ]
    inputs = inputs_of(document)
    inputs.set({"seed": 7})
    batch = request_of(inputs)
    assert edges_of(batch) == []
    assert batch["graph"]["nodes"]["noise"]["seed"] == 7
    assert set(batch["graph"]["nodes"]) == {"noise"}

    document = random_noise(
        "random.value -> plus.a", "plus.value -> other.seed", plus=("add", {"b": 1}), other=("noise", {})
    )
    document["edges"] = document["edges"][1:]
    inputs = inputs_of(document)
    inputs.set({"random": 7})
    batch = request_of(inputs)
    assert batch["graph"]["nodes"]["plus"]["a"] == 7
    assert edges_of(batch) == ["plus -> other.seed"]


def workflow_edge(link: str) -> dict[str, Any]:
    (edge,) = workflows.workflow("x", {"noise": ("noise", {}), "wire": ("noise", {})}, [link])["edges"]
    return edge


def test_random_numbers_that_are_not_seeds_stay() -> None:
    document = workflows.workflow(
        "Width",
        {"random": ("rand_int", {"low": 64, "high": 65}), "noise": ("noise", {"seed": 0})},
        ["random.value -> noise.width"],
    )
    inputs = inputs_of(document)
    assert inputs.random_seeds() == []
    with pytest.raises(InputError, match="feeds it"):
        inputs.set({"noise.width": 64})


def test_none_returns_to_the_random_node() -> None:
    inputs = inputs_of(random_noise())
    inputs.set({"seed": 7})
    inputs.set({"seed": None})
    assert edges_of(request_of(inputs)) == ["random -> noise.seed"]
    assert [item.node_id for item in inputs.random_seeds(unset=True)] == ["random"]


# ------------------------------------------------------------------ values


@pytest.mark.parametrize("value", [-1, "-1", 2**32, 1.5, "many", True])
def test_invalid_seeds_are_rejected(value: Any) -> None:
    inputs = inputs_of(random_noise())
    with pytest.raises(InputValueError, match="Seed"):
        inputs.set({"seed": value})


@pytest.mark.parametrize("document", [random_noise(), workflows.sd1()], ids=["random", "literal"])
def test_minus_one_suggests_random(document: dict[str, Any]) -> None:
    with pytest.raises(InputValueError, match='use "random"'):
        inputs_of(document).set({"noise.seed": -1})
    with pytest.raises(InputValueError, match='use "random"'):
        plan_sweep(inputs_of(document), {}, seed=-1)


@pytest.mark.parametrize("document", [random_noise(), workflows.sd1()], ids=["random", "literal"])
def test_random_draws_a_seed(document: dict[str, Any]) -> None:
    inputs = inputs_of(document)
    drawn: set[int] = set()
    for _ in range(3):
        inputs.set({"seed": "random"})
        drawn.add(inputs.apply_seeds(inputs.values())[1]["noise", "seed"])
    assert len(drawn) == 3
    assert all(0 <= seed < 2**32 for seed in drawn)


# ------------------------------------------------------------------ several seeds


def two_random() -> dict[str, Any]:
    return random_noise(
        "random2.value -> noise2.seed",
        random2=("rand_int", {}),
        noise2=("noise", {}),
        literal=("noise", {"seed": 5}),
    )


def test_seed_sets_all_seeds() -> None:
    inputs = inputs_of(two_random())
    inputs.set({"seed": 7})
    nodes = request_of(inputs)["graph"]["nodes"]
    assert [nodes[name]["seed"] for name in ("noise", "noise2", "literal")] == [7, 7, 7]
    assert inputs.snapshot()["seed"] == 7
    assert seed_names(inputs).seed(inputs.snapshot()) == 7


def test_each_of_several_seeds_has_a_name() -> None:
    inputs = inputs_of(two_random())
    with pytest.raises(AmbiguousInputError):
        inputs.set({"rand_int": 1})
    inputs.set({"random": 1, "noise2.seed": 2})
    nodes = request_of(inputs)["graph"]["nodes"]
    assert [nodes[name]["seed"] for name in ("noise", "noise2", "literal")] == [1, 2, 5]
    snapshot = inputs.snapshot()
    again = inputs_of(two_random())
    again.set(snapshot)
    assert again.snapshot() == snapshot
    nodes = request_of(again)["graph"]["nodes"]
    assert [nodes[name]["seed"] for name in ("noise", "noise2", "literal")] == [1, 2, 5]


def test_the_last_seed_counts() -> None:
    inputs = inputs_of(two_random())
    inputs.set({"random": 1, "literal.seed": 4})
    inputs.set({"seed": 7})
    nodes = request_of(inputs)["graph"]["nodes"]
    assert [nodes[name]["seed"] for name in ("noise", "noise2", "literal")] == [7, 7, 7]
    inputs.set({"random": 1})
    assert request_of(inputs)["graph"]["nodes"]["noise"]["seed"] == 1


def test_a_seed_in_the_form_takes_precedence() -> None:
    document = random_noise(form=[("literal", "seed")], literal=("noise", {"seed": 5}))
    inputs = inputs_of(document)
    inputs.set({"seed": 7})
    batch = request_of(inputs)
    assert batch["graph"]["nodes"]["literal"]["seed"] == 7
    assert edges_of(batch) == ["random -> noise.seed"]
    assert seed_names(inputs).main == ("seed",)


# ------------------------------------------------------------------ sweeps


def seeds_of(plan: Any) -> list[Any]:
    """Return the seed of the noise node in each run of a plan."""
    seeds: list[Any] = []
    for part in plan.parts:
        inputs = plan.inputs.copy()
        inputs.set({**part.fixed, **{axis.name: axis.values[0] for group in part.groups for axis in group}})
        node = request_of(inputs)["graph"]["nodes"]["noise"]
        for index in range(part.count):
            places = part.places(index)
            value = node.get("seed")
            for place, group in zip(places, part.data(), strict=True):
                for datum in group:
                    if (datum["node_path"], datum["field_name"]) == ("noise", "seed"):
                        value = datum["items"][place]
            seeds.append(value)
    return seeds


def test_sweep_pins_one_seed() -> None:
    inputs = inputs_of(random_noise())
    plan = plan_sweep(inputs, {"width": [64, 128, 192]})
    seeds = seeds_of(plan)
    assert len(set(seeds)) == 1
    assert isinstance(seeds[0], int)
    assert plan.inputs is not None
    assert plan.inputs.snapshot()["seed"] == seeds[0]
    assert plan.axes == ("width",)
    assert inputs.touched() == {}
    assert seeds_of(plan_sweep(inputs, {"width": [64, 128]})) != seeds[:2]


def test_sweep_pins_every_random_node_but_no_literal() -> None:
    plan = plan_sweep(inputs_of(two_random()), {"noise.width": [64, 128]})
    assert plan.inputs is not None
    nodes = request_of(plan.inputs)["graph"]["nodes"]
    assert nodes["noise"]["seed"] == nodes["noise2"]["seed"]
    assert nodes["literal"]["seed"] == 5


def test_sweep_keeps_a_seed_that_was_set() -> None:
    inputs = inputs_of(random_noise())
    inputs.set({"seed": 7})
    assert seeds_of(plan_sweep(inputs, {"width": [64, 128]})) == [7, 7]


def test_seed_is_an_axis() -> None:
    inputs = inputs_of(random_noise("random.value -> noise2.seed", noise2=("noise", {})))
    plan = plan_sweep(inputs, {"noise.width": [64, 128], "seed": [1, 2, 3]})
    assert seeds_of(plan) == [1, 2, 3, 1, 2, 3]
    assert plan.axes == ("width", "seed")
    assert [point["seed"] for point in plan.points()] == [1, 2, 3, 1, 2, 3]
    (part,) = plan.parts
    assert [datum["node_path"] for datum in part.data()[1]] == ["noise", "noise2"]
    assert plan.inputs is not None and "seed" not in {
        name for name, value in plan.inputs.snapshot().items() if value is not None
    }


def test_all_seeds_are_an_axis() -> None:
    plan = plan_sweep(inputs_of(two_random()), {"seed": [1, 2]})
    (part,) = plan.parts
    (group,) = part.data()
    assert {datum["node_path"]: datum["items"] for datum in group} == {
        name: [1, 2] for name in ("noise", "noise2", "literal")
    }
    with pytest.raises(UsageError, match="same input"):
        plan_sweep(inputs_of(two_random()), {"seed": [1, 2], "random": [3]})


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"seed": 7}, [7, 7]),
        ({"seed": 7, "repeat": 2}, [7, 8, 7, 8]),
        ({"seed": "workflow"}, [None, None]),
    ],
)
def test_seed_options_of_sweeps(options: dict[str, Any], expected: list[Any]) -> None:
    assert seeds_of(plan_sweep(inputs_of(random_noise()), {"width": [64, 128]}, **options)) == expected


def test_random_and_repeated_seeds_differ() -> None:
    inputs = inputs_of(random_noise())
    assert len(set(seeds_of(plan_sweep(inputs, {"width": [64, 128]}, seed="random")))) == 2
    repeated = seeds_of(plan_sweep(inputs, {"width": [64, 128]}, repeat=3))
    assert len(set(repeated)) == 3
    assert repeated[:3] == repeated[3:]
    with pytest.raises(UsageError, match="seed='workflow'"):
        plan_sweep(inputs, {}, repeat=2, seed="workflow")


def test_rows_can_have_a_seed() -> None:
    inputs = inputs_of(random_noise())
    rows = rows_of(
        [{"width": 64, "seed": 5}, {"width": 128}, {"width": 192, "seed": "random"}, {"width": 256}]
    )
    first, blank, drawn, blank_too = seeds_of(plan_rows(inputs, rows))
    assert first == 5
    assert blank == blank_too
    assert len({first, blank, drawn}) == 3
    assert len(set(seeds_of(plan_rows(inputs, rows_of([{"width": 64}, {"width": 128}]))))) == 1


# ------------------------------------------------------------------ seeds of a run


def item(values: list[int]) -> dict[str, Any]:
    prepared = {f"r{index}": {"id": f"r{index}", "type": "rand_int"} for index, _ in enumerate(values)}
    noises = {
        f"n{index}": {"id": f"n{index}", "type": "noise", "seed": value} for index, value in enumerate(values)
    }
    return {
        "session": {
            "execution_graph": {"nodes": {**prepared, **noises}},
            "prepared_source_mapping": {
                **dict.fromkeys(prepared, "random"),
                **dict.fromkeys(noises, "noise"),
            },
            "results": {
                **{
                    f"r{index}": {"type": "integer_output", "value": value}
                    for index, value in enumerate(values)
                },
                **{f"n{index}": {"type": "noise_output", "width": 64} for index, _ in enumerate(values)},
            },
        }
    }


def test_seeds_are_read_from_the_queue_item() -> None:
    assert seeds_of_item(item([123])) == {("random", "value"): 123, ("noise", "seed"): 123}
    assert seeds_of_item(item([1, 2])) == {}
    assert seeds_of_item({}) == {}
    reported = item(
        [123]
    )  # assembled from events: the graph as it was sent, without the values that edges carry
    reported["session"]["graph"] = reported["session"].pop("execution_graph")
    reported["session"]["graph"] = {
        "nodes": {"random": {"type": "rand_int"}, "noise": {"type": "noise", "seed": 0}}
    }
    assert seeds_of_item(reported) == {("random", "value"): 123}


def test_names_of_seeds() -> None:
    inputs = inputs_of(random_noise())
    names = seed_names(inputs)
    assert names == SeedNames(("seed",), {("random", "value"): "seed"})
    assert SeedNames.from_dict(json.loads(json.dumps(names.to_dict()))) == names
    inputs.set({"seed": 7})
    assert seed_names(inputs).drawn == {}
    assert names.seed({"seed": 7}) == 7
    assert names.seed({}) is None
    assert seed_names(inputs_of(workflows.sd1())).main == ("seed",)
    assert build_data(inputs._loaded, {}, {}) == []  # pyright: ignore[reportPrivateUsage]


def test_unknown_name_suggests_the_seed() -> None:
    with pytest.raises(UnknownInputError, match="Did you mean 'seed'"):
        inputs_of(random_noise()).find("sed")


def test_table_shows_random_seeds() -> None:
    inputs = inputs_of(random_noise())
    assert "(random)" in inputs_text("Random", inputs.everything())
    assert [item.label for item in listed_inputs(inputs)] == ["Width", "Seed"]
    assert [item.label for item in listed_inputs(inputs_of(two_random()))] == ["Width", "Seed"]
    literal = inputs_of(workflows.sd1())
    assert listed_inputs(literal) == list(literal)
    inputs.set({"seed": 7})
    assert "(random)" not in inputs_text("Random", inputs.everything())
