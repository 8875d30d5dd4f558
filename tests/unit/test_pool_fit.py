"""Whether a server can do a request, and the request with that server's keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from golden import CASES, golden

from invokeai_py_client.errors import UsageError
from invokeai_py_client.pool.fit import (
    ModelInfo,
    Needs,
    ServerInfo,
    affinity_of,
    misfits,
    needs_of,
    with_models,
)

POSTED = [name for name in CASES if golden(name).posted is not None]


def posted(name: str) -> Mapping[str, Any]:
    found = golden(name).posted
    assert found is not None
    return found


def other_server(needs: Needs) -> ServerInfo:
    """Return a server that has what a request needs, with other keys."""
    models = tuple(replace(model, key=f"there-{model.key}") for model in needs.models)
    return ServerInfo("6.14.2", {kind: version or "1.0.0" for kind, version in needs.nodes.items()}, models)


@pytest.mark.parametrize("name", POSTED)
def test_a_recorded_request_fits_a_server_with_the_same_files_under_other_keys(name: str) -> None:
    body = posted(name)
    needs = needs_of(body)
    there = other_server(needs)
    assert misfits(needs, there) == list(needs.fixed)
    moved = with_models(body, there)
    assert {model.key for model in needs_of(moved).models} == {model.key for model in there.models}
    assert affinity_of(moved) == affinity_of(body)
    assert moved["batch"].get("workflow") is body["batch"].get("workflow")
    here = ServerInfo("6.14.2", there.nodes, needs.models)
    assert with_models(moved, here) == body


def test_a_server_without_a_model_does_not_fit() -> None:
    needs = needs_of(posted("h17_models"))
    there = replace(other_server(needs), models=())
    assert misfits(needs, there)[0] == (
        "The model 'My SDXL' (sdxl, main) is not installed on this server. Install it there."
    )
    with pytest.raises(UsageError, match="'My SDXL'"):
        with_models(posted("h17_models"), there)
    assert ModelInfo("k", "random:1", "a", "b", "c").identity == ("a", "b", "c")
