"""What a run looks like while it goes on: plain lines here, bars where a person watches."""

from __future__ import annotations

import io
from typing import Any

import pytest

from invokeai_py_client.run.display import BarDisplay, LineDisplay, display_for, is_interactive, line_of
from invokeai_py_client.run.events import RunEvent, parse_event

LABELS = {"d": "Denoise", "s": "Save [final]"}


def label(node_id: str) -> str:
    return LABELS.get(node_id, node_id)


def event(name: str, source: str = "d", **more: Any) -> RunEvent:
    payload = {
        "timestamp": 1,
        "item_id": 7,
        "batch_id": "b",
        "invocation": {"id": f"p-{source}", "type": "denoise_latents"},
        "invocation_source_id": source,
    } | more
    found = parse_event(name, payload)
    assert found is not None
    return found


A_RUN = [
    event("queue_item_status_changed", status="in_progress"),
    event("invocation_started"),
    event("invocation_progress", message="Running VAE", percentage=None),
    event("invocation_progress", message="Denoising", percentage=0.05),
    event("invocation_progress", message="Denoising", percentage=1),
    event("invocation_complete", result={}),
    event("invocation_started", "s"),
    event("invocation_error", "s", error_type="ValueError", error_message="no", error_traceback=""),
    event("queue_item_status_changed", status="failed", error_type="ValueError"),
]


@pytest.mark.parametrize(
    ("told", "line"),
    list(
        zip(
            A_RUN,
            [
                "item 7 running",
                "  Denoise",
                "",
                "  Denoise   5% Denoising",
                "  Denoise 100% Denoising",
                "",
                "  Save [final]",
                "  Save [final] failed: ValueError",
                "item 7 failed: ValueError",
            ],
            strict=True,
        )
    ),
)
def test_an_event_in_a_line(told: RunEvent, line: str) -> None:
    assert line_of(told, label) == line


def test_lines_are_written_as_they_come() -> None:
    stream = io.StringIO()
    with LineDisplay(label, stream) as display:
        display.show(A_RUN[0])
        assert stream.getvalue() == "item 7 running\n"
        display.show(A_RUN[2])
        display.show(A_RUN[1])
    assert stream.getvalue() == "item 7 running\n  Denoise\n"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_who_watches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delitem(__import__("sys").modules, "ipykernel", raising=False)
    assert not is_interactive(io.StringIO())
    assert is_interactive(Terminal())
    monkeypatch.setenv("TERM", "dumb")
    assert not is_interactive(Terminal())
    assert isinstance(display_for(label, 3, io.StringIO()), LineDisplay)
    monkeypatch.setenv("TERM", "xterm")
    assert isinstance(display_for(label, 3, Terminal()), BarDisplay)


def test_bars_show_labels_as_they_are_and_leave_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    from rich.console import Console

    console = Console(file=io.StringIO(), force_terminal=True, width=100, _environ={"TERM": "xterm"})
    with BarDisplay(label, 1, console) as display:
        shown = [bars_after(display, told) for told in A_RUN]
    assert shown[0][0] == ("running", 0, 1)
    assert shown[1][1] == ("  Denoise", 0, None)
    assert shown[3][1] == ("  Denoise: Denoising", 0.05, 1.0)
    assert shown[5][0] == ("running", 1, 1)
    assert shown[6][1] == ("  Save [final]", 0, None)
    assert shown[8][0][0] == "failed"


def bars_after(display: BarDisplay, told: RunEvent) -> list[tuple[str, float, float | None]]:
    display.show(told)
    return [(task.description, task.completed, task.total) for task in display._progress.tasks]


def test_iterations_may_run_more_nodes_than_there_are() -> None:
    from rich.console import Console

    display = BarDisplay(label, 1, Console(file=io.StringIO()))
    for turn in "ab":
        display.show(event("invocation_complete", turn, result={}))
    assert bars_after(display, event("invocation_complete", "c", result={}))[0][1:] == (3, 3)
