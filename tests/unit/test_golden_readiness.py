"""Problems that stop a run, compared with the errors of the official editor and the server in recorded cases."""

from __future__ import annotations

import re

import pytest
from golden import CASES, golden

from invokeai_py_client.engine.readiness import Problem, find_problems
from invokeai_py_client.engine.workflow import LoadedWorkflow
from invokeai_py_client.schema.reference import reference_schema

SCHEMA = reference_schema()

# The server rejected these. It accepts our requests for them (test_workflow_better.py).
BETTER = {"h12b_batch_to_connector", "h26c_bounding_box_literal"}

# Some of the fields that must be named.
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


def test_every_rejection_lists_its_fields() -> None:
    assert set(REFUSED) == set(CULPRITS)


@pytest.mark.parametrize("name", REFUSED)
def test_server_rejections_are_found_before_sending(name: str) -> None:
    found = problems(name)
    assert found
    assert {(problem.node_id, problem.field) for problem in found} >= CULPRITS[name]


@pytest.mark.parametrize("name", READY)
def test_recorded_runs_have_no_problems(name: str) -> None:
    found = {(problem.node_id, problem.field) for problem in problems(name)}
    if name == "h29d_call_unset":  # the server accepted it, but the run failed: it calls no workflow
        assert found == {("call", "workflow_id")}
    elif name == "h10b_gen_image_board_ui_edit":  # the board was chosen by hand after loading
        assert found == {("g", "generator"), ("g2", "generator")}
    else:
        assert found == set()


@pytest.mark.parametrize("name", [name for name in CASES if golden(name).meta.get("reasons")])
def test_every_reason_of_the_editor_is_found(name: str) -> None:
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
            # We ignore unknown inputs (docs/engine.md). An empty list belongs to a node that feeds
            # nothing, or to a board whose images have not been requested yet.
            assert reason in ("Missing field template", "Some batch nodes have empty collections")


def _title(loaded: LoadedWorkflow, problem: Problem) -> str | None:
    if problem.field is None or problem.node_id not in loaded.nodes:
        return None
    node = loaded.nodes[problem.node_id]
    template = node.template_of(problem.field, SCHEMA.get(node.type))
    entry = node.inputs.get(problem.field)
    return (entry.label if entry is not None else "") or (template.title if template is not None else None)
