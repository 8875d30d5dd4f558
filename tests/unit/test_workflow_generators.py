"""Generators and batch data beyond the recorded requests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from workflows import workflow

from invokeai_py_client.editor.generators import MAX_COUNT, MersenneTwister, generate, settings_of
from invokeai_py_client.engine.batch import ServerGenerator, build_data, server_generators
from invokeai_py_client.engine.definition import WorkflowDefinition
from invokeai_py_client.engine.load import load_workflow
from invokeai_py_client.engine.readiness import find_problems
from invokeai_py_client.engine.workflow import LoadedWorkflow
from invokeai_py_client.errors import InputValueError
from invokeai_py_client.schema.reference import reference_schema

SCHEMA = reference_schema()


def run(node_type: str, kind: str, **settings: Any) -> list[Any]:
    complete = settings_of(node_type, {"type": f"{node_type}_{kind}", **settings})
    assert complete is not None
    return generate(complete, iter([0.0, 0.5, 0.999] * 10).__next__)


def test_random_stream_matches_the_reference_implementation() -> None:
    # The first outputs of mt19937ar.c for init_genrand(5489), and the ten thousandth as the C++ standard has it.
    twister = MersenneTwister(5489)
    drawn = [twister.random() * 2**32 for _ in range(10_000)]
    assert drawn[:3] == [3499211612, 581869302, 3890346734]
    assert drawn[-1] == 4123659995
    assert MersenneTwister(-1).random() == MersenneTwister(0xFFFFFFFF).random()


@pytest.mark.parametrize(
    ("seed", "drawn"),
    [  # The 1st, 2nd, 624th, 625th and 1,249th output, from the library that the web UI uses (mtwist 1.0.2).
        (0, [2357136044, 2546248239, 3791854820, 341544762, 4192857288]),
        (1, [1791095845, 4282876139, 2006116153, 1104314680, 3239719367]),
        (2147483648, [652847386, 1439962116, 2283417207, 2355930816, 1251646082]),
        (4294967295, [419326371, 479346978, 1027084080, 3860652269, 2400582258]),
        (4294967296, [2357136044, 2546248239, 3791854820, 341544762, 4192857288]),
        (-1, [419326371, 479346978, 1027084080, 3860652269, 2400582258]),
        (-5, [1844333030, 2494113081, 3837564187, 4279909298, 424760705]),
        (-9007199254740992, [2357136044, 2546248239, 3791854820, 341544762, 4192857288]),
        (9007199254740990, [2236247450, 437438088, 4140863375, 1237256951, 122334998]),
        (1000000000000003, [187226108, 2042253063, 1569476416, 1242338455, 2778282521]),
    ],
)
def test_random_stream_matches_the_web_ui(seed: int, drawn: list[int]) -> None:
    twister = MersenneTwister(seed)
    stream = [twister.random() * 2**32 for _ in range(1249)]
    assert [stream[index] for index in (0, 1, 623, 624, 1248)] == drawn


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (run("integer_generator", "linear_distribution", start=0, end=10, count=5), [0, 3, 5, 8, 10]),
        (run("integer_generator", "linear_distribution", start=0, end=-5, count=3), [0, -2, -5]),
        (run("integer_generator", "linear_distribution", start=4, end=9, count=1), [4]),
        (run("integer_generator", "arithmetic_sequence", start=3, step=0, count=9), [3]),
        (run("integer_generator", "arithmetic_sequence", start=3, step=-2, count=3), [3, 1, -1]),
        (run("integer_generator", "arithmetic_sequence", count=-1), []),
        (run("integer_generator", "random_distribution_uniform", min=1, max=3, count=3), [1, 2, 3]),
        (
            run("integer_generator", "parse_string", input=" 3.9, 0x10,5e3,-4abc,, x", splitOn=","),
            [3, 0, 5, -4],
        ),
        (run("float_generator", "arithmetic_sequence", count=4), [0, 0.1, 0.2, 0.30000000000000004]),
        (run("float_generator", "linear_distribution", count=3), [0, 0.5, 1]),
        (run("float_generator", "random_distribution_uniform", min=1, max=3, count=2), [1, 2]),
        (run("float_generator", "parse_string", input="1.5\n.5e1\n1e999", splitOn=r"\n"), [1.5, 5]),
        (run("float_generator", "parse_string", input="1,2", values=[7, 8.5]), [7, 8.5]),
        (run("string_generator", "parse_string", input="a, b,,c", splitOn=","), ["a", " b", "c"]),
        (run("string_generator", "parse_string", input="a, b", splitOn=""), ["a, b"]),
        (run("string_generator", "parse_string", input='a"b', splitOn='"'), ["a", "b"]),
        (run("string_generator", "parse_string", input="a\u2028b", splitOn=r"\u2028"), ["a", "b"]),
    ],
)
def test_generated_values(made: list[Any], expected: list[Any]) -> None:
    assert made == expected
    assert [type(value) for value in made] == [type(value) for value in expected]


def test_seed_repeats_values() -> None:
    first = run("float_generator", "random_distribution_uniform", seed=42, count=700)
    assert first == run("float_generator", "random_distribution_uniform", seed=42, count=700)
    assert len(set(first)) > 690


def test_oversized_lists_are_rejected() -> None:
    with pytest.raises(InputValueError, match=str(MAX_COUNT)):
        run("integer_generator", "arithmetic_sequence", count=MAX_COUNT + 1)


@pytest.mark.parametrize(
    "value", [None, 3, {"type": "nonsense"}, {"type": "float_generator_parse_string"}, {"type": []}]
)
def test_invalid_settings_are_rejected(value: Any) -> None:
    assert settings_of("integer_generator", value) is None


def loaded(nodes: Mapping[str, tuple[str, Mapping[str, Any]]], edges: list[str]) -> LoadedWorkflow:
    return load_workflow(WorkflowDefinition.from_dict(workflow("w", nodes, edges)), SCHEMA)


def test_server_generators() -> None:
    flow = loaded(
        {
            "g": (
                "string_generator",
                {"generator": {"type": "string_generator_dynamic_prompts_combinatorial"}},
            ),
            "unused": (
                "string_generator",
                {"generator": {"type": "string_generator_dynamic_prompts_random"}},
            ),
            "b": ("string_batch", {"batch_group_id": "None"}),
            "s": ("string", {}),
        },
        ["g.strings -> b.strings", "b.value -> s.value"],
    )
    prompt = "a super {cute|ferocious} {dog|cat}"
    assert server_generators(flow, {}) == [ServerGenerator("g", "dynamic_prompts", prompt, 10, True)]
    changed = {"type": "string_generator_dynamic_prompts_random", "input": "{a|b}", "count": 3, "seed": 5}
    assert server_generators(flow, {("g", "generator"): changed}) == [
        ServerGenerator("g", "dynamic_prompts", "{a|b}", 3, False, 5)
    ]
    assert build_data(flow, {}, {"g": ["x", "y"]}) == [
        [{"node_path": "s", "field_name": "value", "items": ["x", "y"]}]
    ]
    assert find_problems(flow, SCHEMA, {}) == []
    assert [problem.what for problem in find_problems(flow, SCHEMA, {}, {"g": []})] == ["its list is empty"]


def batches(values: Mapping[tuple[str, str], Any], node: str = "add", field: str = "a") -> list[str]:
    flow = loaded(
        {"b": ("integer_batch", {"integers": [1, 2], "batch_group_id": "None"}), "n": (node, {})},
        [f"b.value -> n.{field}"],
    )
    return [problem.what for problem in find_problems(flow, SCHEMA, values) if problem.node_id == "b"]


@pytest.mark.parametrize("item", ["x", 2.5, None, True, [1], {"image_name": "a.png"}])
def test_value_that_would_block_the_queue_is_found(item: Any) -> None:
    (what,) = batches({("b", "integers"): [1, item]})
    assert what.startswith(f"value 2, {item!r}, is not valid for 'a' of 'n'; expected ")


def test_limits_apply_to_batches() -> None:
    assert "multiple of 8" in batches({}, "noise", "width")[0]
    assert "at least 1" in batches({("b", "integers"): [1, 0]}, "denoise_latents", "cfg_scale")[0]


def test_batch_values_that_are_not_lists() -> None:
    assert batches({("b", "integers"): "1,2"}) == ["'1,2' is not a list"]
    assert batches({("b", "integers"): []}) == ["its list is empty"]
