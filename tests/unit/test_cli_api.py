"""The fields, the query and the headers of ``ivk api``."""

from __future__ import annotations

import re
from typing import Any

import click
import pytest

from invokeai_py_client.cli.api import api
from invokeai_py_client.cli.api_fields import (
    form_fields,
    headers_of_options,
    nested,
    query_of_options,
    split_pair,
    typed,
)
from invokeai_py_client.errors import UsageError


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("false", False),
        ("null", None),
        ("7", 7),
        ("-7", -7),
        ("0.5", 0.5),
        ("1e3", 1000.0),
        ("007", "007"),
        ("1_000", "1_000"),
        ("nan", "nan"),
        ("True", "True"),
        ("٣", "٣"),
        ("", ""),
        ("@a.txt", "<a.txt>"),
        ("@-", "<->"),
        ("@@a", "@a"),
        ("9" * 30, "number"),
    ],
)
def test_values_are_typed(text: str, value: Any) -> None:
    found = typed(text, lambda name: f"<{name}>")
    if value == "number":
        assert isinstance(found, float)
    else:
        assert found == value
        assert type(found) is type(value)


@pytest.mark.parametrize(
    ("fields", "data"),
    [
        ([("a", 1)], {"a": 1}),
        ([("a[b]", 1), ("a[c]", 2)], {"a": {"b": 1, "c": 2}}),
        ([("a[b][c]", 1), ("a[d][]", 2)], {"a": {"b": {"c": 1}, "d": [2]}}),
        ([("a[]", 1), ("a[]", 2)], {"a": [1, 2]}),
        ([("a[][b]", 1), ("a[][c]", 2), ("a[][b]", 3)], {"a": [{"b": 1, "c": 2}, {"b": 3}]}),
        ([("a[][]", 1), ("a[][]", 2)], {"a": [[1], [2]]}),
    ],
)
def test_fields_are_nested(fields: list[tuple[str, Any]], data: Any) -> None:
    assert nested(fields) == data


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["a", "a"], "The field 'a' was given twice"),
        (["a[b]", "a[b]"], r"The field 'a\[b\]' was given twice"),
        (["a", "a[b]"], r"The field 'a\[b\]' was given twice, or with another structure"),
        (["a[b]", "a[]"], "was given twice, or with another structure"),
        (["a[]", "a[b]"], "was given twice, or with another structure"),
        (["a[b"], r"Invalid field 'a\[b': expected a name such as a, a\[b\] or a\[\]"),
        (["[b]"], "Invalid field"),
        (["a[b]c"], "Invalid field"),
    ],
)
def test_wrong_fields(names: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        nested((name, 1) for name in names)


def test_form_has_texts_and_json() -> None:
    data = {"a": "text", "b": [1, True, None], "c": {"d": 1}, "e": [{"f": 2}], "g": None, "h": False}
    assert form_fields(data) == {
        "a": "text",
        "b": ["1", "true"],
        "c": '{"d": 1}',
        "e": '[{"f": 2}]',
        "g": None,
        "h": False,
    }


def test_query_repeats_names() -> None:
    assert query_of_options([("a", "1"), ("b", True), ("a", 2), ("c", None)]) == {
        "a": ["1", "2"],
        "b": ["true"],
    }


def test_wrong_pairs_and_headers() -> None:
    for text in ("a", "=1", ""):
        with pytest.raises(UsageError, match=re.escape(f"Invalid option -q {text!r}: expected NAME=VALUE")):
            split_pair(text, "-q")
    assert split_pair("a=b=c", "-q") == ("a", "b=c")
    assert headers_of_options(["X-A: b:c ", "Accept:x"]) == {"X-A": "b:c", "Accept": "x"}
    with pytest.raises(UsageError, match=r"^Invalid option -H: expected 'NAME: VALUE'\.$"):
        headers_of_options(["my-secret"])


def completed(parameter: str, incomplete: str, **known: str) -> list[str]:
    context = click.Context(api, info_name="api")
    context.params.update(known)
    found = next(one for one in api.params if one.name == parameter)
    return [one.value for one in found.shell_complete(context, incomplete)]


def test_methods_and_paths_are_completed() -> None:
    assert completed("method", "p") == ["POST", "PUT", "PATCH"]
    assert completed("path", "app/v", method="get") == ["app/version"]
    assert completed("path", "/api/v1/app/v", method="GET") == ["/api/v1/app/version"]
    assert completed("path", "app/v", method="POST") == []
    assert completed("path", "/o", method="GET") == ["/openapi.json"]
    assert "/api/v2/models/i/" in completed("path", "/api/v2/mod", method="GET")
    assert all("{" not in path for path in completed("path", ""))
