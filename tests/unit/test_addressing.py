"""Resolution of input names."""

from __future__ import annotations

import string
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from invokeai_py_client.engine.addressing import FieldPath, InputIndex, plain, word
from invokeai_py_client.errors import AmbiguousInputError, UnknownInputError


def place(
    node_id: str, field: str, label: str = "", *, node: str = "", kind: str = "denoise_latents", **known: Any
) -> FieldPath:
    known = {"settable": True, "in_form": True, **known}
    return FieldPath((node_id, field), label or field.title(), (node_id, node, kind, "Denoise"), **known)


def index(*places: FieldPath) -> InputIndex:
    return InputIndex([one for one in places if one.in_form], lambda: places)


@pytest.mark.parametrize(
    ("name", "identifier"),
    [
        ("Positive Prompt", "positive_prompt"),
        ("positive-prompt", "positive_prompt"),
        ("  CFG (Scale) ", "cfg_scale"),
        ("正面提示", "正面提示"),
        ("Подсказка №1", "подсказка_no1"),
        ("हिंदी शब्द", "हिंदी_शब्द"),
        ("ﬁeld", "field"),
        ("Größe", "grösse"),
        ("***", ""),
        ("🎨", ""),
        ("", ""),
    ],
)
def test_names_as_identifiers(name: str, identifier: str) -> None:
    assert plain(name) == identifier
    assert not identifier or identifier.isidentifier()


@given(st.text(max_size=20))
def test_identifiers_are_unchanged(name: str) -> None:
    assert plain(plain(name)) == plain(name)
    assert word(word(name)) == word(name)


@pytest.mark.parametrize(
    "name",
    [
        "Prompt",
        "prompt",
        "PROMPT",
        "positive",
        "Positive",
        "n1.prompt",
        "Positive.prompt",
        "positive.Prompt",
        "positive.text",
        "Positive.text",
    ],
)
def test_every_name_resolves(name: str) -> None:
    text = place("n1", "text", "Prompt", node="Positive", kind="string")
    dotted = place("n1", "prompt", "Other", node="Positive", kind="string", in_form=False)
    other = place("n2", "steps")
    if name.casefold().endswith(".prompt"):  # the field's name takes precedence over another field's label
        assert index(text, dotted, other).find(name) is dotted
        return
    assert index(text, other).find(name) is text


ORDER: list[tuple[str, list[FieldPath], int]] = [
    ("Steps", [place("a", "x", "Steps"), place("b", "y", "steps")], 0),  # the exact label
    ("steps", [place("a", "x", "Steps"), place("b", "y", "steps")], 1),
    (
        "steps",
        [place("a", "x", "STEPS"), place("b", "steps", "Detail")],
        0,
    ),  # a label takes precedence over a field name
    (
        "steps",
        [place("a", "steps", "Detail"), place("b", "x", "Y", node="Steps")],
        0,
    ),  # a field name takes precedence over a node
    (
        "steps",
        [place("a", "x", "Y", node="Steps"), place("b", "steps", in_form=False)],
        0,
    ),  # the form takes precedence
    ("steps", [place("a", "steps", in_form=False), place("b", "x")], 0),  # the only settable one
    ("steps", [place("a", "steps", in_form=False, settable=False), place("b", "steps", in_form=False)], 1),
    (
        "a.b.c",
        [place("a.b", "c", node="L"), place("x", "y", "a.b.c")],
        0,
    ),  # node id.field takes precedence over everything
    ("a.b.c", [place("a.b", "c", node="L"), place("L", "z")], 0),
    ("my.node.steps", [place("1", "steps", node="my.node"), place("2", "steps")], 0),
    ("My Node.Detail", [place("1", "steps", "Detail", node="my node"), place("2", "steps", "Detail")], 0),
    ("c++", [place("1", "x", "C"), place("2", "y", "C++")], 1),
    ("???", [place("1", "x", "???"), place("2", "y", "!!!")], 0),
    ("!!!", [place("1", "x", "???"), place("2", "y", "!!!")], 1),
    ("!!!", [place("1", "x", "???", in_form=False), place("2", "y", "!!!", in_form=False)], 1),
]


@pytest.mark.parametrize(("name", "places", "expected"), ORDER)
def test_precedence_of_names(name: str, places: list[FieldPath], expected: int) -> None:
    assert index(*places).find(name) is places[expected]


AMBIGUOUS: list[tuple[str, list[FieldPath]]] = [
    ("Prompt", [place("1", "text", "Prompt", node="A"), place("2", "text", "Prompt", node="B")]),
    ("steps", [place("1", "steps", node="A"), place("2", "steps", node="A")]),
    ("steps", [place("1", "steps", in_form=False), place("2", "steps", in_form=False)]),
    ("A.x", [place("1", "p", "X", node="A"), place("1", "q", "X", node="A")]),
    ("a.x", [place("1", "x", node="A"), place("2", "x", node="a")]),
    ("???", [place("1", "a", "???"), place("2", "b", "???")]),
]


@pytest.mark.parametrize(("name", "places"), AMBIGUOUS)
def test_ambiguous_name_lists_unambiguous_names(name: str, places: list[FieldPath]) -> None:
    known = index(*places)
    with pytest.raises(AmbiguousInputError, match="is ambiguous") as caught:
        known.find(name)
    error = caught.value
    assert error.name == name
    assert [known.find(candidate) for candidate in error.candidates] == places
    assert all(repr(candidate) in str(error) for candidate in error.candidates)


def test_long_list_of_candidates_is_shortened() -> None:
    places = [place(str(number), "steps", node=f"N{number}") for number in range(40)]
    with pytest.raises(AmbiguousInputError, match="and 28 more") as caught:
        index(*places).find("steps")
    assert len(caught.value.candidates) == 40


@pytest.mark.parametrize(
    ("name", "close"),
    [
        ("prompt_positive", "Positive Prompt"),
        ("stps", "Steps"),
        ("cfg", "Denoise.cfg_scale"),
        ("Denoise.step", "2.steps"),
    ],
)
def test_unknown_name_suggests_close_names(name: str, close: str) -> None:
    known = index(
        place("1", "text", "Positive Prompt"),
        place("2", "steps", kind="x"),
        place("3", "cfg_scale", in_form=False, kind="", node="Denoise"),
    )
    with pytest.raises(UnknownInputError) as caught:
        known.find(name)
    candidates = caught.value.candidates
    assert known.find(candidates[0]) is known.find(close)
    assert all(known.find(candidate) for candidate in candidates)


def test_unknown_name_error_mentions_connected_fields() -> None:
    """InvokeAI's own workflows connect their seed to a Random Seed node."""
    seed = place("1", "seed", kind="noise", settable=False, in_form=False)
    with pytest.raises(
        UnknownInputError,
        match=r"'seed'\. Connections feed 'noise\.seed', .* The inputs in its form: 'Steps'\.",
    ):
        index(place("denoise", "steps"), seed).find("seed")


def test_unknown_name_without_close_names_lists_the_form() -> None:
    with pytest.raises(UnknownInputError, match="The inputs in its form: 'Positive Prompt'"):
        index(place("1", "text", "Positive Prompt")).find("qqq")
    with pytest.raises(UnknownInputError, match=r"no input named 'qqq'\.$"):
        index().find("qqq")


@pytest.mark.parametrize("name", ["", " ", ".", "..", "a.", ".a", "_", "-", "\0"])
def test_empty_names_are_unknown(name: str) -> None:
    with pytest.raises(UnknownInputError):
        index(place("1", "text", "Prompt"), place("2", "steps", "Steps", in_form=False)).find(name)


NAMES = st.sampled_from(["a", "A", "b", "a.b", "b.a", "a b", "é", "", "?", "!", "1", "steps", "ß"])
PLACES = st.lists(
    st.builds(
        place,
        NAMES.filter(bool),
        NAMES.filter(bool),
        NAMES,
        node=NAMES,
        kind=st.sampled_from("xy"),
        in_form=st.booleans(),
        settable=st.booleans(),
    ),
    max_size=6,
    unique_by=lambda one: ".".join(one.key),
)


@given(PLACES)
def test_every_input_has_an_unambiguous_name(places: list[FieldPath]) -> None:
    known = index(*places)
    for one in places:
        assert known.find(known.distinct_name(one)) is one
        assert known.place(one.key) is one


def first_reading(name: str, places: Sequence[FieldPath]) -> list[FieldPath]:
    """Apply the rules again without tables, in the slow and plain way."""
    form = [one for one in places if one.in_form]
    alone = [one for one in form if [other.key[0] for other in form].count(one.key[0]) == 1]
    splits = [(name[:dot], name[dot + 1 :]) for dot, char in enumerate(name) if char == "."]

    def dotted(last: Callable[[FieldPath], str]) -> list[FieldPath]:
        return [
            one
            for one in places
            if any(
                word(field) == word(last(one))
                and any(word(node) == word(known) for known in one.node_names if known)
                for node, field in splits
            )
        ]

    tiers = [
        [one for one in places if ".".join(one.key) == name and splits],
        [one for one in form if one.label == name and name],
        [one for one in form if one.label.casefold() == name.casefold() != ""],
        [one for one in form if word(one.label) == word(name) != ""],
        [one for one in form if word(one.field_name) == word(name) != ""],
        [one for one in alone if word(name) in [word(known) for known in one.node_names if word(known)]],
        dotted(lambda one: one.field_name),
        dotted(lambda one: one.label),
        [
            one
            for one in places
            if one.settable and word(name) in (word(one.field_name), word(one.label)) and word(name)
        ],
    ]
    return next(filter(None, tiers), [])


@given(
    PLACES,
    st.one_of(
        NAMES, st.builds("{}.{}".format, NAMES, NAMES), st.text(string.ascii_letters + ". ", max_size=5)
    ),
)
def test_tables_match_the_plain_rules(places: list[FieldPath], name: str) -> None:
    expected = first_reading(name, places)
    try:
        assert [index(*places).find(name)] == expected
    except UnknownInputError:
        assert expected == []
    except AmbiguousInputError as error:
        assert len(expected) > 1
        assert len(error.candidates) == len(expected)
