"""The command line without a server: exit codes, help, completion and output."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import click
import pytest
from command import Command, Terminal, ivk_command

from invokeai_py_client import InvokeAIClient, errors
from invokeai_py_client.cli import output
from invokeai_py_client.cli.export import is_exported
from invokeai_py_client.cli.install import install_display, short_name
from invokeai_py_client.cli.main import ivk
from invokeai_py_client.cli.names import read_names
from invokeai_py_client.cli.partial import try_each
from invokeai_py_client.cli.tables import Column, seconds_of, show_facts, show_table, time_of, words_of
from invokeai_py_client.cli.watch import (
    QueueView,
    seconds_at,
    status_line,
    watch_queue,
    what_of,
    window,
)
from invokeai_py_client.cli.workflows import file_name
from invokeai_py_client.models import (
    InstallStatus,
    IvkImage,
    IvkJob,
    JobStatus,
    ModelInstJobInfo,
    QueueStatus,
)
from invokeai_py_client.run.events import ModelLoading, NodeProgress

__all__ = ["ivk_command"]

REPOSITORY = Path(__file__).parents[2]


def all_commands() -> list[list[str]]:
    """Return the words of every command."""

    def below(command: click.Command, words: list[str]) -> list[list[str]]:
        if not isinstance(command, click.Group):
            return [words]
        context = click.Context(command)
        found = [words]
        for name in command.list_commands(context):
            one = command.get_command(context, name)
            assert one is not None
            found += below(one, [*words, name])
        return found

    return below(ivk, [])


def test_every_one_of_several_things_is_tried() -> None:
    def action(item: str) -> object:
        if item == "refused":
            raise errors.PermissionDeniedError(403, None, "no")
        return item != "gone"

    items = {key: key for key in ("a", "refused", "gone", "b")}
    done, error = try_each(items, action, what="deleted", kind="board", label=str)
    assert list(done) == ["a", "b"]
    assert error is not None
    assert list(error.done) == ["a", "b"]
    assert str(error) == (
        "2 of 4 boards could not be deleted:\n  refused: no\n  gone: The board is no longer on the server."
    )
    assert try_each({"a": "a"}, action, what="deleted", kind="board", label=str) == ({"a": "a"}, None)


@pytest.mark.parametrize(("before", "tried"), [([], 1), (["a"], 2)])
def test_nothing_else_is_tried_if_the_server_is_away(before: list[str], tried: int) -> None:
    calls: list[str] = []

    def action(item: str) -> None:
        calls.append(item)
        if item != "a":
            raise errors.ServerUnreachableError(None, None, "away")

    items = {key: key for key in (*before, "b", "c")}
    if before:
        _, error = try_each(items, action, what="deleted", kind="board", label=str)
        assert error is not None
        assert list(error.failed) == ["b", "c"]
    else:
        with pytest.raises(errors.ServerUnreachableError):
            try_each(items, action, what="deleted", kind="board", label=str)
    assert len(calls) == tried


@pytest.mark.parametrize("words", all_commands(), ids=" ".join)
def test_every_command_has_help_within_80_columns(ivk_command: Command, words: list[str]) -> None:
    done = ivk_command(*words, "--help")
    assert done.code == 0
    assert done.out.startswith("Usage: ivk")
    assert len(done.lines) > 4
    assert max(map(len, done.lines)) <= 80


def test_cli_reference_is_up_to_date() -> None:
    tool = [sys.executable, str(REPOSITORY / "tools" / "cli_reference.py"), "--check"]
    done = subprocess.run(tool, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def test_exit_code_of_every_error() -> None:
    kinds: list[type[errors.InvokeAIClientError]] = [errors.InvokeAIClientError]
    for kind in kinds:
        kinds.extend(kind.__subclasses__())
    codes = {kind: output.exit_code_of(kind) for kind in kinds}
    assert {kind for kind, code in codes.items() if code == output.UNREACHABLE} == {
        errors.ServerUnreachableError,
        errors.CertificateError,
        errors.NotInvokeAIError,
    }
    assert {kind for kind, code in codes.items() if code == output.WRONG_USE} == {
        kind for kind in kinds if issubclass(kind, errors.UsageError)
    }
    assert set(codes.values()) == {output.FAILED, output.WRONG_USE, output.UNREACHABLE}


def test_every_error_code_is_raised_and_documented() -> None:
    """Check that docs/errors.md lists every code, and that every error class is raised somewhere."""
    documented = set(re.findall(r"`(\w+)`", (REPOSITORY / "docs" / "errors.md").read_text()))
    sources = [
        path.read_text()
        for path in (REPOSITORY / "src" / "invokeai_py_client").rglob("*.py")
        if path.name != "errors.py"
    ]
    kinds: list[type[errors.InvokeAIClientError]] = [errors.InvokeAIClientError]
    for kind in kinds:
        kinds.extend(kind.__subclasses__())
        assert kind.code in documented
        if not kind.__subclasses__() and kind not in errors.API_ERRORS.values():
            raised = re.compile(rf"\b{kind.__name__}\(|error={kind.__name__}\b")
            assert any(raised.search(text) for text in sources), f"nothing raises {kind.__name__}"
    here = set(re.findall(r'"code": "(\w+)"', (Path(str(output.__file__))).read_text()))
    assert here == {"usage", "interrupted"} <= documented


def test_unknown_command_suggests_close_names(ivk_command: Command) -> None:
    done = ivk_command("imags", "ls")
    assert done.code == 2
    assert "Did you mean 'images'?" in done.said
    assert "Did you mean 'cancel'?" in ivk_command("queue", "cancle").said
    assert ivk_command("queue", "xyzzy", "--json").objects == [
        {"event": "error", "code": "usage", "message": "No such command 'xyzzy'."}
    ]


def test_workflow_argument_completes_files(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in {
        "_IVK_COMPLETE": "zsh_complete",
        "COMP_WORDS": "ivk run port",
        "COMP_CWORD": "2",
    }.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit):
        output.run_command(ivk, [])
    assert capsys.readouterr().out.split() == ["file", "port", "_"]


@pytest.mark.parametrize(
    ("shell", "mark"), [("bash", "complete -o"), ("zsh", "#compdef ivk"), ("fish", "--command ivk")]
)
def test_completion_script(ivk_command: Command, shell: str, mark: str) -> None:
    done = ivk_command("completion", shell)
    assert (done.code, done.err) == (0, "")
    assert mark in done.out
    assert "_IVK_COMPLETE" in done.out


def test_completion_of_commands(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("_IVK_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_LINE", "ivk queue c")
    with pytest.raises(SystemExit) as ended:
        output.run_command(ivk, [])
    assert ended.value.code == 0
    assert capsys.readouterr().out.split() == ["plain,cancel", "plain,clear"]


def test_errors_are_red_unless_no_color_is_set(ivk_command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["images", "ls", "--url", "ftp://example.org"]
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[31m" in ivk_command(*words, terminal=True).err
    assert "\x1b" not in ivk_command(*words).err
    monkeypatch.setenv("NO_COLOR", "1")
    done = ivk_command(*words, terminal=True)
    assert "\x1b" not in done.err
    assert max(map(len, done.err.splitlines())) <= 80


@pytest.mark.usefixtures("quick_retries")
def test_unreachable_server(ivk_command: Command) -> None:
    done = ivk_command("queue", "status", "--json", "--url", "http://127.0.0.1:1")
    assert done.code == 3
    assert done.objects[-1]["code"] == "unreachable"


def test_read_names_from_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "sys.stdin",
        [
            '{"event": "image", "name": "a.png"}\n',
            "b.png\t2026\tx\n",
            "\n",
            '{"event": "result"}\n',
            "a.png\n",
        ],
    )
    assert read_names(["c.png", "-", "c.png"]) == ["c.png", "a.png", "b.png"]
    monkeypatch.setattr("sys.stdin", ["{\n"])
    with pytest.raises(errors.UsageError, match="Invalid JSON"):
        read_names(["-"])
    monkeypatch.setattr("sys.stdin", [])
    with pytest.raises(errors.UsageError, match="No names"):
        read_names(["-"])


def test_formatting_of_values() -> None:
    assert [seconds_of(seconds) for seconds in (0.84, 59.94, 65, 3723)] == [
        "0.8 s",
        "59.9 s",
        "1:05",
        "1:02:03",
    ]
    assert (words_of(True), words_of(None), words_of({"a": 1})) == ("yes", "", '{"a": 1}')
    assert time_of("yesterday") == "yesterday"
    moment = datetime(2026, 1, 31, 12, 5, tzinfo=UTC)
    assert (
        time_of("2026-01-31 12:05:09.5") == time_of(moment) == moment.astimezone().strftime("%Y-%m-%d %H:%M")
    )
    assert file_name("Text to Image - SDXL") == "Text-to-Image-SDXL.json"
    assert file_name("../..") == "workflow.json"
    assert short_name("/models/watercolor.safetensors") == "watercolor.safetensors"
    assert short_name("owner/name") == "owner/name"


def job(item_id: int, status: JobStatus, **more: object) -> IvkJob:
    return IvkJob.from_api_response({"item_id": item_id, "status": status.value, **more})


def test_summary_of_a_queue_item() -> None:
    values = [
        {"node_path": "a", "field_name": "steps", "value": 4},
        {"node_path": "b", "field_name": "model", "value": {"key": "k", "name": "tiny"}},
    ]
    assert what_of(job(1, JobStatus.PENDING, field_values=values)) == "steps=4, model=tiny"
    failed = job(1, JobStatus.FAILED, error_type="ValueError", error_message="no\nsuch")
    assert what_of(failed) == "ValueError: no such"
    begun = job(1, JobStatus.RUNNING, started_at="2026-01-31 12:00:00.000")
    assert seconds_at(begun, datetime(2026, 1, 31, 12, 1, 5, tzinfo=UTC)) == "1:05"
    assert seconds_at(job(1, JobStatus.PENDING)) == ""


def test_window_around_the_running_item() -> None:
    ids = list(range(100))
    assert window(ids, 50, 9) == [47, 48, 49, 50, 51, 52, 53, 54, 55]
    assert window(ids, 99, 3) == [97, 98, 99]
    assert window(ids, 0, 3) == [0, 1, 2]
    assert window(ids, None, 3) == [97, 98, 99]
    assert window([], None, 3) == []
    assert window([1, 2], 1, 5) == [1, 2]


def test_status_line() -> None:
    assert status_line(QueueStatus(is_started=True)) == "Idle: no items"
    assert status_line(QueueStatus(is_started=True, pending=1200)) == "Active: 1,200 pending"
    assert status_line(QueueStatus(pending=1, failed=2)) == "Paused: 1 pending, 2 failed"


class Watched:
    """A client whose queue is watched until Ctrl-C is pressed."""

    url = "http://localhost:9090"

    @property
    def queue_repo(self) -> Watched:
        return self

    def watch(self, **_: object) -> Iterator[QueueStatus]:
        yield QueueStatus(is_started=True, pending=1)
        raise KeyboardInterrupt


def test_ctrl_c_ends_watch(capsys: pytest.CaptureFixture[str]) -> None:
    client = cast("InvokeAIClient", Watched())
    watch_queue(client, until_idle=False, as_json=False)
    assert capsys.readouterr().out == "Active: 1 pending\n"
    with pytest.raises(KeyboardInterrupt):  # the queue is not idle yet
        watch_queue(client, until_idle=True, as_json=False)


def test_hints_appear_only_in_a_terminal(ivk_command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "~/.bashrc" in ivk_command("completion", "bash", terminal=True).err
    assert ivk_command("completion", "bash").err == ""
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setattr(sys, "stdout", io.StringIO())  # as in $(ivk ...), where standard error is a terminal
    output.hint("Next")
    assert cast("Terminal", sys.stderr).getvalue() == ""


def test_queue_view() -> None:
    from rich.console import Console

    console = Console(width=80, height=8, record=True, file=io.StringIO())
    view = QueueView("http://localhost:9090")
    jobs = [job(number, JobStatus.RUNNING if number == 2 else JobStatus.PENDING) for number in range(1, 9)]
    view.show_status(QueueStatus(is_started=True, in_progress=1, pending=7), jobs)
    view.show_event(
        NodeProgress(
            item_id=2,
            timestamp=0,
            raw={},
            node_id="d",
            node_type="denoise_latents",
            prepared_id="p",
            message="Denoising",
            fraction=0.5,
        )
    )
    console.print(view)
    lines = console.export_text().splitlines()
    assert lines[0].startswith("Active: 1 running, 7 pending   http://localhost:9090")
    assert "50% denoise_latents: Denoising" in lines[3]
    assert len(lines) <= 8
    assert max(map(len, lines)) <= 80


def test_the_queue_view_names_the_gpus_only_if_there_are_several() -> None:
    from rich.console import Console

    view = QueueView("http://localhost:9090")
    jobs = [job(number, JobStatus.RUNNING) for number in (1, 2)]
    view.show_status(QueueStatus(is_started=True, in_progress=2), jobs)

    def lines_after(item_id: int) -> list[str]:
        about = item_id, 0.0, {}, "d", "denoise_latents", "p"
        view.show_event(NodeProgress(*about, "Denoising", 0.5, None, f"cuda:{item_id - 1}"))
        console = Console(width=80, height=8, record=True, file=io.StringIO())
        console.print(view)
        return console.export_text().splitlines()

    assert "cuda" not in " ".join(lines_after(1))
    lines = lines_after(2)
    assert "50% cuda:0 denoise_latents: Denoising" in lines[2]
    assert "50% cuda:1 denoise_latents: Denoising" in lines[3]
    view.show_event(ModelLoading(2, 0.0, {}, "d", "denoise_latents", "p", "key", "Dreamshaper 8", "unet"))
    console = Console(width=80, height=8, record=True, file=io.StringIO())
    console.print(view)
    assert "cuda:1 denoise_latents: loading Dreamshaper 8 (unet)" in console.export_text()


def installing(*parts: tuple[str, int, int]) -> ModelInstJobInfo:
    found = [
        {"url": f"https://h.co/{name}?token=x", "bytes": done, "total_bytes": total}
        for name, done, total in parts
    ]
    return ModelInstJobInfo(id=1, source="a/b", status=InstallStatus.DOWNLOADING, download_parts=found)


def test_lines_name_the_downloaded_files_of_a_model(capsys: pytest.CaptureFixture[str]) -> None:
    with install_display(as_json=False) as show:
        show(installing(("one.bin", 1, 4), ("two.bin", 0, 4)))
        show(installing(("one.bin", 4, 4), ("two.bin", 2, 4)))
        show(installing(("one.bin", 4, 4), ("two.bin", 4, 4)))
    assert capsys.readouterr().err.splitlines() == [
        "a/b: downloading",
        "a/b: one.bin downloaded",
        "a/b: two.bin downloaded",
    ]


def test_a_bar_for_each_file_that_is_being_downloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    from rich.progress import Progress

    tasks: list[list[str]] = []
    update = Progress.update

    def spy(self: Progress, *words: Any, **values: Any) -> None:
        update(self, *words, **values)
        tasks.append([task.description for task in self.tasks])

    monkeypatch.setattr(Progress, "update", spy)
    monkeypatch.setattr(sys, "stderr", Terminal())
    with install_display(as_json=False) as show:
        show(installing(("one.bin", 1, 4), ("two.bin", 0, 4)))
        assert tasks[-1] == ["a/b", "  one.bin"]
        show(installing(("one.bin", 4, 4), ("two.bin", 2, 4)))
        show(installing(("one.bin", 4, 4), ("two.bin", 3, 4)))
        assert tasks[-1] == ["a/b", "  two.bin"]


def test_is_exported(tmp_path: Path) -> None:
    image = IvkImage(image_name="a.png", width=1)
    assert not is_exported(image, tmp_path)
    (tmp_path / "a.png").write_bytes(b"x")
    for text in ("", "{", "[]", "{}"):
        (tmp_path / "a.json").write_text(text)
        assert not is_exported(image, tmp_path)
    (tmp_path / "a.json").write_text(json.dumps({**image.to_dict(), "metadata": {"seed": 1}}))
    assert is_exported(image, tmp_path)
    assert not is_exported(IvkImage(image_name="a.png", width=1, starred=True), tmp_path)


def test_control_characters_are_replaced_in_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    evil = "a\x1b[2Jb\x9b5mc"
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("TERM", "xterm")
    show_table([Column("name")], [[evil]])
    show_facts({"name": evil})
    assert "\x1b[2J" not in terminal.getvalue()
    assert terminal.getvalue().count("a�[2Jb�5mc") == 2


def test_export_stays_in_its_folder(tmp_path: Path) -> None:
    (tmp_path / "evil.png").write_bytes(b"x")
    image = IvkImage(image_name="../evil.png")
    (tmp_path / "evil.json").write_text(json.dumps(image.to_dict()))
    (tmp_path / "out").mkdir()
    assert not is_exported(image, tmp_path / "out")


@pytest.fixture
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("invokeai_py_client.transport.retry._FIRST_DELAY", 0.0)


@pytest.mark.usefixtures("quick_retries")
@pytest.mark.parametrize(
    "words",
    [
        ["--json", "--url", "http://127.0.0.1:1", "queue", "status"],
        ["queue", "--json", "--url", "http://127.0.0.1:1", "status"],
        ["--json", "queue", "--url", "http://127.0.0.1:1", "status"],
        ["--json", "--url", "http://127.0.0.1:2", "queue", "status", "--url", "http://127.0.0.1:1"],
        ["--json", "--url", "http://127.0.0.1:1", "images", "list"],
    ],
)
def test_url_and_json_before_the_command(ivk_command: Command, words: list[str]) -> None:
    done = ivk_command(*words)
    assert done.code == 3
    assert done.objects[-1]["code"] == "unreachable"
    assert "http://127.0.0.1:1 " in done.objects[-1]["message"]


def test_aliases_of_commands(ivk_command: Command) -> None:
    for group in ("images", "boards", "models", "workflows", "queue"):
        assert ivk_command(group, "list", "--help").lines[1:] == ivk_command(group, "ls", "--help").lines[1:]
    for group in ("images", "boards", "models", "workflows"):
        assert (
            ivk_command(group, "delete", "--help").lines[1:] == ivk_command(group, "rm", "--help").lines[1:]
        )
    assert ivk_command("server", "list").code == 2
    assert " list " not in ivk_command("images", "--help").out


@pytest.mark.parametrize("words", [["-q", "completion", "bash"], ["completion", "bash"]])
def test_quiet_prints_no_hints(ivk_command: Command, words: list[str]) -> None:
    done = ivk_command(*words, terminal=True)
    assert "_IVK_COMPLETE" in done.out
    assert ("~/.bashrc" in done.err) is (words[0] != "-q")


@pytest.mark.usefixtures("quick_retries")
def test_login_accepts_the_url_before_the_command(ivk_command: Command) -> None:
    for words in (["--url", "http://127.0.0.1:1", "login"], ["login", "http://127.0.0.1:1"]):
        done = ivk_command(*words, "--json")
        assert done.code == 3
        assert "http://127.0.0.1:1 " in done.objects[-1]["message"]
