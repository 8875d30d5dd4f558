"""The live display of a run: plain lines, progress bars and previews."""

from __future__ import annotations

import base64
import io
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from invokeai_py_client.display import check_preview, choice, display_for, is_interactive, line_of
from invokeai_py_client.display.bars import BarDisplay
from invokeai_py_client.display.notebook import Cell, NotebookDisplay, page_of
from invokeai_py_client.display.progress import LineDisplay, Progress
from invokeai_py_client.display.sweep import sweep_display
from invokeai_py_client.errors import UsageError
from invokeai_py_client.run.events import (
    ModelEvent,
    ModelLoaded,
    ModelLoading,
    NodeStarted,
    RunEvent,
    parse_event,
)

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
    ("shown", "line"),
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
def test_line_of_event(shown: RunEvent, line: str) -> None:
    assert line_of(shown, label) == line


def test_lines_are_written_immediately() -> None:
    stream = io.StringIO()
    with LineDisplay(label, stream) as display:
        display.show(A_RUN[0])
        assert stream.getvalue() == "item 7 running\n"
        display.show(A_RUN[2])
        display.show(A_RUN[1])
    assert stream.getvalue() == "item 7 running\n  Denoise\n"


def loading(kind: type[ModelEvent], submodel: str | None) -> ModelEvent:
    return kind(7, 1.0, {}, "d", "denoise_latents", "p-d", "key", "Dreamshaper 8", submodel)


def test_a_model_has_one_line_for_each_node() -> None:
    stream = io.StringIO()
    with LineDisplay(label, stream) as display:
        for submodel in ("unet", "scheduler"):
            display.show(loading(ModelLoading, submodel))
            display.show(loading(ModelLoaded, submodel))
    assert stream.getvalue() == "  Denoise: loading Dreamshaper 8\n"


def test_bars_name_the_model_until_it_is_loaded() -> None:
    from rich.console import Console

    display = BarDisplay(label, 1, Console(file=io.StringIO()))
    bars_after(display, event("invocation_started"))
    assert (
        bars_after(display, loading(ModelLoading, "unet"))[1][0] == "  Denoise: loading Dreamshaper 8 (unet)"
    )
    assert bars_after(display, loading(ModelLoaded, "unet"))[1] == ("  Denoise", 0, None)


def test_the_page_of_a_notebook_names_the_model() -> None:
    progress = Progress(label, 1)
    progress.take(loading(ModelLoading, None))
    assert "Denoise: loading Dreamshaper 8</div>" in page_of(progress, preview=False)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_display_depends_on_the_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    assert not is_interactive(io.StringIO())
    assert is_interactive(Terminal())
    monkeypatch.setenv("TERM", "dumb")
    assert not is_interactive(Terminal())
    assert isinstance(display_for(label, 3, io.StringIO()), LineDisplay)
    monkeypatch.setenv("TERM", "xterm")
    assert isinstance(display_for(label, 3, Terminal()), BarDisplay)


def test_bars_show_labels_without_markup(monkeypatch: pytest.MonkeyPatch) -> None:
    from rich.console import Console

    console = Console(file=io.StringIO(), force_terminal=True, width=100, _environ={"TERM": "xterm"})
    with BarDisplay(label, 1, console) as display:
        shown = [bars_after(display, event) for event in A_RUN]
    assert shown[0][0] == ("running", 0, 1)
    assert shown[1][1] == ("  Denoise", 0, None)
    assert shown[3][1] == ("  Denoise: Denoising", 0.05, 1.0)
    assert shown[5][0] == ("running", 1, 1)
    assert shown[6][1] == ("  Save [final]", 0, None)
    assert shown[8][0][0] == "failed"


def bars_after(display: BarDisplay, event: RunEvent) -> list[tuple[str, float, float | None]]:
    display.show(event)
    return [(task.description, task.completed, task.total) for task in display._bars.tasks]


def test_total_grows_if_iterations_run_more_nodes() -> None:
    from rich.console import Console

    display = BarDisplay(label, 1, Console(file=io.StringIO()))
    for turn in "ab":
        display.show(event("invocation_complete", turn, result={}))
    assert bars_after(display, event("invocation_complete", "c", result={}))[0][1:] == (3, 3)


# --------------------------------------------------------------------------- previews


def preview_of(color: str, size: tuple[int, int] = (8, 8)) -> RunEvent:
    from PIL import Image

    file = io.BytesIO()
    Image.new("RGB", size, color).save(file, "JPEG")
    url = "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()
    picture = {"width": 8 * size[0], "height": 8 * size[1], "dataURL": url}
    return event("invocation_progress", message="Denoising", percentage=0.5, image=picture)


NO_PICTURE = {"width": 64, "height": 64, "dataURL": "data:image/jpeg;base64,bm9uZQ=="}


def test_terminal_shows_the_latest_preview() -> None:
    from rich.console import Console

    console = Console(
        file=io.StringIO(),
        force_terminal=True,
        width=40,
        height=12,
        color_system="truecolor",
        legacy_windows=False,
    )
    display = BarDisplay(label, 1, console, preview=True)
    display.show(A_RUN[3])
    assert len(lines_of(console, display)) == 2
    display.show(preview_of("red", (8, 4)))
    red = lines_of(console, display)
    assert "38;2;254;0;0" in red[-1]
    assert 2 < len(red) <= 12
    display.show(event("invocation_progress", message="Denoising", percentage=0.6, image=NO_PICTURE))
    assert lines_of(console, display)[2:] == red[2:]
    display.show(preview_of("blue", (8, 4)))
    assert "38;2;0;0;254" in lines_of(console, display)[-1]


def lines_of(console: Any, display: BarDisplay) -> list[str]:
    with console.capture() as captured:
        console.print(display._shown(), end="")
    return captured.get().rstrip("\n").split("\n")


def test_preview_is_rendered_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from rich.console import Console

    console = Console(file=io.StringIO(), force_terminal=True, width=40, height=12)
    display = BarDisplay(label, 1, console, preview=True)
    display.show(preview_of("red"))
    lines_of(console, display)
    assert display._picture is not None
    monkeypatch.setattr(display._picture, "_image", "not to be drawn again")
    assert len(lines_of(console, display)) > 2


def test_preview_in_terminal_requires_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    check_preview(True, Terminal())
    monkeypatch.setattr(choice, "find_spec", {}.get)
    with pytest.raises(UsageError, match=r"client\[preview\]"):
        check_preview(True, Terminal())
    check_preview(False, Terminal())
    check_preview(None, Terminal())
    check_preview(True, io.StringIO())  # not interactive: plain lines without previews


@pytest.mark.parametrize("shell", [None, SimpleNamespace(), SimpleNamespace(kernel=None)])
def test_a_process_that_starts_kernels_is_not_a_notebook(
    monkeypatch: pytest.MonkeyPatch, shell: SimpleNamespace | None
) -> None:
    monkeypatch.setitem(sys.modules, "ipykernel", SimpleNamespace())  # jupyter_client loads it
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    assert not choice.in_notebook()
    assert isinstance(display_for(label, 3, io.StringIO()), LineDisplay)


def test_notebook_shows_bars_and_preview(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []

    def show(_: Cell, html: str, *, at_once: bool = False) -> None:
        shown.append(html)

    monkeypatch.setattr(Cell, "show", show)
    monkeypatch.setitem(
        sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: SimpleNamespace(kernel="here"))
    )
    display = display_for(label, 3)
    assert isinstance(display, NotebookDisplay)
    for update in (A_RUN[0], preview_of("red")):
        display.show(update)
    assert shown[0].count("<progress") == 1
    assert "running" in shown[0]
    assert 'value="0.5"' in shown[1]
    assert '<img src="data:image/jpeg;base64,' in shown[1]


def test_notebook_shows_what_runs_of_a_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []

    def show(_: Cell, html: str) -> None:
        shown.append(html)

    monkeypatch.setattr(Cell, "show", show)
    monkeypatch.setitem(
        sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: SimpleNamespace(kernel="here"))
    )
    with sweep_display(6, True, lambda: ["gpu1: run 3: <b> 45%", "gpu2: waiting"]) as display:
        display.show(2, 1)
    assert shown[0].count("<progress") == 1 and "2 of 6 runs, 1 failed" in shown[0]
    assert shown[0].endswith("<div>gpu1: run 3: &lt;b&gt; 45%</div><div>gpu2: waiting</div>")


def test_server_text_is_escaped_in_html() -> None:
    progress = Progress(lambda node_id: "<b>", 1)
    progress.take(preview_of("red"))
    picture = {"width": 8, "height": 8, "dataURL": 'data:image/png;base64,"><script>'}
    progress.take(event("invocation_progress", message="<script>", percentage=None, image=picture))
    page = page_of(progress, preview=True)
    assert "<script>" not in page
    assert "&lt;b&gt;: &lt;script&gt;" in page
    assert "<img" not in page_of(progress, preview=False)
    picture = {"width": 8, "height": 8, "dataURL": "https://elsewhere/"}
    progress.take(event("invocation_progress", message="", percentage=None, image=picture))
    assert "elsewhere" not in page_of(progress, preview=True)


def test_progress_without_standard_error_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    assert not is_interactive()
    with display_for(str, 2) as display, sweep_display(2, True) as sweep:
        event = NodeStarted(item_id=1, timestamp=0, raw={}, node_id="d", node_type="t", prepared_id="p")
        display.show(event)
        sweep.show(2, 1)
