"""The error classes: one base class, stable codes, messages, and pickling."""

from __future__ import annotations

import copy
import inspect
import pickle
import re
from typing import Any

import pytest

from invokeai_py_client import errors
from invokeai_py_client.errors import (
    API_ERRORS,
    APIRequestError,
    InvokeAIClientError,
    ModelInstallJobFailed,
    ModelInstallTimeout,
    RunFailedError,
    RunTimeoutError,
    UnknownInputError,
)

ALL: list[type[InvokeAIClientError]] = [
    value
    for value in vars(errors).values()
    if inspect.isclass(value) and issubclass(value, InvokeAIClientError)
]
PLAIN = {"str": "text", "int": 7, "float": 1.5, "Any": {"detail": ["data"]}, "Sequence[str]": ("one", "two")}


def example(kind: type[InvokeAIClientError]) -> InvokeAIClientError:
    """Return an error of a class with a value for every attribute."""
    if not inspect.isfunction(kind.__init__):
        return kind("what was wrong")
    positional: list[Any] = []
    named: dict[str, Any] = {}
    for parameter in list(inspect.signature(kind.__init__).parameters.values())[1:]:
        wanted = str(parameter.annotation).removesuffix(" | None").split(" | ")[0]
        value = PLAIN.get(wanted)
        if parameter.kind is parameter.KEYWORD_ONLY:
            named[parameter.name] = value
        else:
            positional.append(value)
    return kind(*positional, **named)


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize("protocol", [2, pickle.HIGHEST_PROTOCOL])
def test_every_error_survives_pickling(kind: type[InvokeAIClientError], protocol: int) -> None:
    error = example(kind)
    error.add_note("and where")
    for again in (pickle.loads(pickle.dumps(error, protocol)), copy.copy(error), copy.deepcopy(error)):
        assert type(again) is kind
        assert again.args == error.args
        assert again.__dict__ == error.__dict__
        assert str(again) == str(error)


@pytest.mark.parametrize("kind", ALL)
def test_every_error_has_a_docstring(kind: type[InvokeAIClientError]) -> None:
    assert kind.__doc__
    assert "text" in str(example(kind)) or "wrong" in str(example(kind))


def test_codes_are_unique_names() -> None:
    codes = [kind.code for kind in ALL]
    assert all("code" in vars(kind) for kind in ALL)
    assert len(set(codes)) == len(codes)
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", code) for code in codes)


def test_the_tree_in_the_docstring_names_every_class() -> None:
    assert errors.__doc__
    for kind in ALL:
        assert re.search(rf"\b{kind.__name__}\b", errors.__doc__), kind.__name__


@pytest.mark.parametrize(
    ("kind", "builtin"),
    [
        ("UsageError", ValueError),
        ("InputValueError", ValueError),
        ("UnknownInputError", KeyError),
        ("ServerUnreachableError", ConnectionError),
        ("ConnectionLostError", ConnectionError),
        ("RequestTimeoutError", TimeoutError),
        ("RunTimeoutError", TimeoutError),
        ("ModelInstallTimeout", TimeoutError),
    ],
)
def test_errors_inherit_from_builtin_exceptions(kind: str, builtin: type[Exception]) -> None:
    assert issubclass(getattr(errors, kind), builtin)


def test_key_error_message_has_no_quotes() -> None:
    error = UnknownInputError("No input is called 'stepz'.", "stepz", ["steps"])
    assert str(error) == "No input is called 'stepz'."
    assert (error.name, error.candidates) == ("stepz", ("steps",))


def test_os_error_keeps_its_message() -> None:
    """OSError interprets two or three arguments as errno, message and file name."""
    for kind in ("ServerUnreachableError", "RequestTimeoutError", "NotInvokeAIError"):
        error = getattr(errors, kind)(503, {"detail": "x"}, "No response.", method="GET", path="/p")
        assert str(error) == "No response."
        assert (error.status_code, error.payload, error.method, error.path) == (
            503,
            {"detail": "x"},
            "GET",
            "/p",
        )
        again = pickle.loads(pickle.dumps(error))
        assert str(again) == "No response."
        assert (again.status_code, again.payload) == (503, {"detail": "x"})


def test_api_error_has_a_default_message() -> None:
    error = APIRequestError(418, "x" * 10_000)
    assert str(error).startswith("The server responded with status 418: xxx")
    assert len(str(error)) < 600
    assert APIRequestError().status_code is None


def test_statuses_and_their_errors() -> None:
    assert sorted(API_ERRORS) == [400, 401, 403, 404, 405, 409, 422]
    assert all(kind.code == f"api_{status}" for status, kind in API_ERRORS.items())


def test_run_errors_have_ids() -> None:
    error = pickle.loads(pickle.dumps(RunTimeoutError("Not yet.", item_id=41, batch_id="b-1")))
    assert (error.item_id, error.batch_id, str(error)) == (41, "b-1", "Not yet.")
    failed = pickle.loads(
        pickle.dumps(RunFailedError("No.", item_id=1, node_id="n", node_label="N", error_type="E"))
    )
    assert (failed.node_id, failed.node_label, failed.error_type, failed.error_message) == (
        "n",
        "N",
        "E",
        None,
    )


def test_installation_errors_have_the_job() -> None:
    from invokeai_py_client.models import ModelInstJobInfo

    info = ModelInstJobInfo.from_api_response(
        {
            "id": 3,
            "status": "error",
            "source": {"type": "url", "url": "https://x"},
            "error": "no room",
            "bytes": 1,
        }
    )
    failed = pickle.loads(pickle.dumps(ModelInstallJobFailed(info)))
    assert "no room" in str(failed)
    assert failed.info == info
    late = pickle.loads(pickle.dumps(ModelInstallTimeout(info, 2.5)))
    assert "2.5 s" in str(late)
    assert (late.last_info, late.timeout) == (info, 2.5)
    assert str(ModelInstallJobFailed())


def test_cause_is_kept_when_raised_again() -> None:
    with pytest.raises(InvokeAIClientError) as caught:
        raise example(RunFailedError) from LookupError("inner")
    assert isinstance(caught.value.__cause__, LookupError)
