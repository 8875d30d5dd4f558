"""Dynamic prompts that a server could not expand, recognized by its response."""

from __future__ import annotations

import pytest

from invokeai_py_client.engine.dynamic_prompts import expansion_problem, wildcard_problem

FIX = "Write the alternatives into the prompt, such as {red|green|blue}."


@pytest.mark.parametrize(
    ("prompt", "prompts", "error", "problem"),
    [
        ("a {red|blue} fox", ["a red fox", "a blue fox"], None, None),
        ("a fox", ["a fox"], None, None),
        ("a __ fox__ {x|y}", ["a __ fox__ x"], None, None),
        ("snake_case __init", ["snake_case __init"], None, None),
        ("a __pet__", ["a cat"], None, None),  # a server with wildcards
        (
            "a __pet__",
            ["a __pet__"] * 100,
            None,
            f"the server does not know the wildcard '__pet__' in 'a __pet__'. {FIX}",
        ),
        (
            "__a__ {__b__|c} __a__",
            ["x c x", "x __b__ x"],
            None,
            f"the server does not know the wildcard '__b__' in '__a__ {{__b__|c}} __a__'. {FIX}",
        ),
        (
            "{__pet__|x}",
            ["{__pet__|x}"],
            "No values found for wildcard(s): pet",
            f"the server could not expand '{{__pet__|x}}': No values found for wildcard(s): pet. {FIX}",
        ),
        (
            "{a|b",
            ["{a|b"],
            "Expected end of text,\n found '{'.",
            "the server could not expand '{a|b': Expected end of text, found '{'. Close each { with a }.",
        ),
        (
            "{2$$a|b}",
            ["{2$$a|b}"],
            "bad",
            "the server could not expand '{2$$a|b}': bad. Expected alternatives such as {red|green|blue}.",
        ),
    ],
)
def test_problem_of_an_expansion(
    prompt: str, prompts: list[str], error: str | None, problem: str | None
) -> None:
    assert expansion_problem(prompt, prompts, error) == problem


@pytest.mark.parametrize(
    ("prompt", "names"),
    [
        ("a __pet__ in {red|blue}", None),
        ("{red|blue} __pet__", None),
        ("{a|b} {c", None),
        ("a __ pet__ {x__|__y}", None),
        ("${pet=__pet__}a ${pet}", None),
        ("{__pet__|x}", "wildcard '__pet__'"),
        ("{x|{y|2$$a __pet__}} __color__", "wildcard '__pet__'"),
        ("} {x|__a__ __b__ __a__}", "wildcards '__a__', '__b__'"),
        ("${a={x|__pet__}}", "wildcard '__pet__'"),
    ],
)
def test_wildcards_in_alternatives_are_never_sent(prompt: str, names: str | None) -> None:
    problem = wildcard_problem(prompt)
    assert problem == (names and f"the server does not know the {names} in {prompt!r}. {FIX}")
