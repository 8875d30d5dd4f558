"""What stops a run, compared with what the official editor and the server said about the recorded cases."""

from __future__ import annotations

import re

import pytest
from golden import CASES, golden

from invokeai_py_client.engine.readiness import Problem, find_problems
from invokeai_py_client.engine.workflow import LoadedWorkflow
from invokeai_py_client.schema.reference import reference_schema

SCHEMA = reference_schema()

# The server refused these; what we send instead it takes (test_workflow_better.py).
BETTER = {"h12b_batch_to_connector", "h26c_bounding_box_literal"}

# Some of the culprits that have to be named.
CULPRITS = {
    "h14_boards": {("str", "board")},
    "h14b_boards_autoadd": {("str", "board")},
    "h17_models": {("ml3", "model"), ("ml5", "model"), ("ml6", "model")},
    "h36_video": {("n1", "videos"), ("n1", "fps")},
    "h39d_batch_mismatch": {("b2", None)},
    "h44_range_violations": {("rs", "width"), ("rs", "height"), ("bi", "width")},
    "h50_all_nodes_ui_defaults": set[tuple[str, str | None]](),
    "h51_all_nodes_gui_export": set[tuple[str, str | None]](),
}
REFUSED = [
    name for name in CASES if golden(name).meta.get("http_status") in (422, 500) and name not in BETTER
]
READY = [
    name for name in CASES if golden(name).meta.get("ready") and golden(name).meta.get("http_status") == 200
]


def problems(name: str) -> list[Problem]:
    case = golden(name)
    loaded = case.load()
    return find_problems(loaded, SCHEMA, case.gone(loaded))


def test_every_refusal_has_its_culprits_listed() -> None:
    assert set(REFUSED) == set(CULPRITS)


@pytest.mark.parametrize("name", REFUSED)
def test_what_the_server_refused_is_found_beforehand(name: str) -> None:
    found = problems(name)
    assert found
    assert {(problem.node_id, problem.field) for problem in found} >= CULPRITS[name]


@pytest.mark.parametrize("name", READY)
def test_what_ran_is_not_complained_about(name: str) -> None:
    found = {(problem.node_id, problem.field) for problem in problems(name)}
    if name == "h29d_call_unset":  # the server took it, and its run failed: it calls no workflow
        assert found == {("call", "workflow_id")}
    elif name == "h10b_gen_image_board_ui_edit":  # the board was chosen by hand after loading
        assert found == {("g", "generator"), ("g2", "generator")}
    else:
        assert found == set()


@pytest.mark.parametrize("name", [name for name in CASES if golden(name).meta.get("reasons")])
def test_every_reason_the_editor_gives_is_found(name: str) -> None:
    case = golden(name)
    found = problems(name)
    loaded = case.load()
    labels = {(problem.node_label, _title(loaded, problem)) for problem in found}
    for reason in case.meta["reasons"]:
        match = re.fullmatch(r"(.*) -> (.*?): .*", reason)
        if match:
            assert (match[1], match[2]) in labels, reason
        elif reason.startswith("No nodes"):
            assert [problem.node_id for problem in found] == [""]
        elif reason.startswith("Batch node not connected"):
            assert any("feeds nothing" in problem.what for problem in found)
        elif reason.startswith("Collection size mismatch"):
            assert any("of its group" in problem.what for problem in found)
        else:
            # An unknown input is no obstacle to us (docs/engine.md); an empty list is that of a node that
            # feeds nothing, or of a board that the server has yet to be asked about.
            assert reason in ("Missing field template", "Some batch nodes have empty collections")


def _title(loaded: LoadedWorkflow, problem: Problem) -> str | None:
    if problem.field is None or problem.node_id not in loaded.nodes:
        return None
    node = loaded.nodes[problem.node_id]
    template = node.template_of(problem.field, SCHEMA.get(node.type))
    entry = node.inputs.get(problem.field)
    return (entry.label if entry is not None else "") or (template.title if template is not None else None)
