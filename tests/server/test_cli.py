"""``ivk`` in a separate process against the real server."""

from __future__ import annotations

import http.server
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import workflows
from PIL import Image as Pillow

from invokeai_py_client import InvokeAIClient, Sweep
from invokeai_py_client.models import QueueStatus
from invokeai_py_client.models.enums import JobStatus

Ivk = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def environment(server: Any) -> dict[str, str]:
    return {**os.environ, "INVOKEAI_URL": server.url, "COLUMNS": "100", "NO_COLOR": "1"}


@pytest.fixture
def ivk(environment: dict[str, str], tmp_path: Path) -> Ivk:
    """Run ``ivk`` in a folder with ``sd1.json`` and ``add.json``."""
    (tmp_path / "sd1.json").write_text(json.dumps(workflows.sd1()))
    (tmp_path / "add.json").write_text(json.dumps(workflows.add()))

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "invokeai_py_client.cli.main", *arguments],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env=environment,
            timeout=120,
            check=False,
        )

    return run


@pytest.fixture
def queue_size(client: InvokeAIClient) -> Callable[[], int]:
    def size() -> int:
        return client.queue_repo.status().total

    return size


def test_inputs_table(ivk: Ivk) -> None:
    done = ivk("inputs", "sd1.json")
    assert done.returncode == 0
    assert "Positive Prompt" in done.stdout
    assert "a whole number greater than 0" in " ".join(done.stdout.split())


def test_inputs_as_json(ivk: Ivk) -> None:
    lines = [json.loads(line) for line in ivk("inputs", "sd1.json", "--json").stdout.splitlines()]
    assert [line["label"] for line in lines[:-1]] == [
        "Model",
        "Positive Prompt",
        "Negative Prompt",
        "Steps",
        "Seed",
    ]
    assert lines[3]["type"] == "IntegerField"
    assert lines[-1] == {"event": "result", "ok": True, "workflow": "SD-1 text to image", "inputs": 5}


def test_run_prints_paths_and_progress_lines_when_piped(ivk: Ivk, tmp_path: Path) -> None:
    done = ivk("run", "sd1.json", "-s", "model=tiny-sd1", "-s", "steps=6", "-s", "seed=31", "-o", "out")
    assert done.returncode == 0, done.stderr
    [path] = done.stdout.splitlines()
    with Pillow.open(tmp_path / path) as picture:
        assert picture.size == (64, 64)
    assert "denoise  50% Denoising" in done.stderr
    assert "\x1b" not in done.stderr


def test_run_as_json(ivk: Ivk, tmp_path: Path) -> None:
    done = ivk("run", "sd1.json", "-s", "model=tiny-sd1", "-s", "seed=32", "-o", "out {1}", "--json")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.stderr == ""
    assert lines[0]["event"] == "queue_item_status_changed"
    assert lines[-1]["event"] == "result"
    assert lines[-1]["ok"] is True
    [image] = lines[-1]["images"]
    assert image["path"] == str(Path("out {1}", image["name"])), "the name of the folder is not a template"
    assert (tmp_path / image["path"]).is_file()


def test_run_reads_a_prompt_from_a_file(ivk: Ivk, tmp_path: Path, client: InvokeAIClient) -> None:
    (tmp_path / "prompt.txt").write_text("a lighthouse\nat dusk\n")
    done = ivk("run", "sd1.json", "-s", "model=tiny-sd1", "-s", "positive_prompt=@prompt.txt", "--dry-run")
    body = json.loads(done.stdout)
    assert body["batch"]["graph"]["nodes"]["positive"]["prompt"] == "a lighthouse\nat dusk"


def test_dry_run_sends_nothing(ivk: Ivk, queue_size: Callable[[], int]) -> None:
    before = queue_size()
    done = ivk("run", "add.json", "-s", "a=40", "--dry-run")
    assert json.loads(done.stdout)["batch"]["graph"]["nodes"]["sum"]["a"] == 40
    assert queue_size() == before


def test_inputs_of_a_library_workflow(ivk: Ivk) -> None:
    done = ivk("inputs", "Text to Image - SDXL")
    assert done.returncode == 0
    assert "Negative Prompt" in done.stdout


def test_ctrl_c_cancels_the_run(environment: dict[str, str], tmp_path: Path, client: InvokeAIClient) -> None:
    (tmp_path / "long.json").write_text(json.dumps(workflows.sd1(steps=1000, size=256)))
    command = [
        sys.executable,
        "-m",
        "invokeai_py_client.cli.main",
        "run",
        "long.json",
        "-s",
        "model=tiny-sd1",
        "--json",
    ]
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        event = next(event for event in map(json.loads, process.stdout) if event.get("fraction"))
        process.send_signal(signal.SIGINT)
        rest, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors == f"Canceled run {event['item_id']}.\n"
    assert json.loads(rest.splitlines()[-1])["code"] == "interrupted"
    assert client.run(event["item_id"]).wait(20).state is JobStatus.CANCELLED


def test_timeout_that_passes_while_the_computer_sleeps(
    environment: dict[str, str], tmp_path: Path, held_queue: None, client: InvokeAIClient
) -> None:
    """The process is stopped. When it continues, the run has ended long ago."""
    del held_queue
    (tmp_path / "add.json").write_text(json.dumps(workflows.add()))
    words = ["run", "add.json", "--timeout", "3", "--json"]
    command = [sys.executable, "-m", "invokeai_py_client.cli.main", *words]
    before = client.queue_repo.status().total
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        next(
            update
            for update in client.queue_repo.watch(interval=0.1)
            if isinstance(update, QueueStatus) and update.total > before
        )
        process.send_signal(signal.SIGSTOP)
        stopped = time.monotonic()
        client.queue_repo.resume()
        client.queue_repo.wait_until_idle(timeout=30)
        time.sleep(max(0.0, stopped + 4.5 - time.monotonic()))
        process.send_signal(signal.SIGCONT)
        out, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")
    assert json.loads(out.splitlines()[-1])["event"] == "result"


def test_sweep(ivk: Ivk, tmp_path: Path) -> None:
    words = [
        "sweep",
        "sd1.json",
        "-s",
        "model=tiny-sd1",
        "-s",
        "steps=2,3",
        "-s",
        "positive_prompt=a fox || a hen",
    ]
    planned = ivk(*words, "--dry-run")
    assert planned.returncode == 0
    plan = json.loads(ivk(*words, "--dry-run", "--json").stdout)
    assert (plan["runs"], plan["ahead"]) == (4, 0)
    assert "4 runs over steps, positive_prompt, in 1 request" in planned.stderr
    done = ivk(*words, "-o", "out", "--grid", "--report")
    assert done.returncode == 0, done.stderr
    *images, grid, page = done.stdout.splitlines()
    assert (grid, page) == ("out/grid.png", "out/index.html")
    assert len(images) == 4
    for name in (*images, grid):
        with Pillow.open(tmp_path / name) as picture:
            picture.load()
    assert "4 of 4 runs succeeded" in done.stderr
    again = ivk(*words, "-o", "out")
    assert again.returncode == 2
    assert "--resume" in again.stderr or "Resume" in again.stderr
    resumed = [
        json.loads(line) for line in ivk(*words, "-o", "out", "--resume", "--json").stdout.splitlines()
    ]
    assert resumed[-1] == {"event": "result", "ok": True, "runs": 4, "failed": 0}
    assert "(ignoring -s)" in ivk(*words, "-o", "out", "--resume").stderr
    assert [path for line in resumed[:-1] for path in line["images"]] == images


@pytest.mark.parametrize(
    ("words", "match"),
    [
        (["-s", "model=nope"], "no compatible model named 'nope'"),
        (["-s", "model=tiny-sd1 || nope"], "no compatible model named 'nope'"),
        (["-s", "steps=2,3"], "no model is set"),
        (["-s", "model=tiny-sd1", "--board", "Nope"], "No board named 'Nope'"),
        (["-s", "model=tiny-sd1", "-s", "steps=2,3", "-s", "Steps=4"], "was given twice"),
    ],
)
def test_sweep_dry_run_reports_invalid_values(
    ivk: Ivk, words: list[str], match: str, queue_size: Callable[[], int]
) -> None:
    before = queue_size()
    done = ivk("sweep", "sd1.json", *words, "--dry-run")
    assert done.returncode == 2
    assert match in " ".join(done.stderr.split())
    assert queue_size() == before


def test_sweep_reports_the_line_of_an_invalid_row(
    ivk: Ivk, tmp_path: Path, queue_size: Callable[[], int]
) -> None:
    (tmp_path / "runs.csv").write_text("a,b\n1,2\n3,many\n")
    before = queue_size()
    done = ivk("sweep", "add.json", "--rows", "runs.csv", "-o", "rows")
    assert done.returncode == 2
    assert "runs.csv, line 3, column 'b'" in " ".join(done.stderr.split())
    assert queue_size() == before
    assert not (tmp_path / "rows").exists()


def test_ctrl_c_cancels_a_sweep_that_can_be_resumed(
    ivk: Ivk, environment: dict[str, str], tmp_path: Path, client: InvokeAIClient
) -> None:
    words = ["sweep", "add.json", "-s", "a=71..78", "-o", "kept", "--json"]
    command = [sys.executable, "-m", "invokeai_py_client.cli.main", *words]
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        lines = (json.loads(line) for line in process.stdout)
        first = next(line for line in lines if line["event"] == "run")
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in errors
    assert "--resume" in errors
    assert first["inputs"] == {"a": 71}
    assert client.queue_repo.status().pending == 0
    lines = (json.loads(line) for line in ivk(*words, "--resume").stdout.splitlines())
    *runs, result = lines
    assert result == {"event": "result", "ok": True, "runs": 8, "failed": 0}
    assert sorted(run["inputs"]["a"] for run in runs) == list(range(71, 79))


def test_time_estimates_include_the_queue(ivk: Ivk, held_queue: None, client: InvokeAIClient) -> None:
    del held_queue
    client.queue_repo.resume()
    assert ivk("run", "add.json", "-s", "a=1").returncode == 0
    client.queue_repo.pause()
    wf = client.workflow_repo.create_workflow(workflows.add())
    wf.start(a=2)
    wf.start(a=3)
    words = ["sweep", "add.json", "-s", "a=1,2,3", "--dry-run"]
    assert "including 2 items ahead in the queue" in ivk(*words).stderr
    plan = json.loads(ivk(*words, "--json").stdout)
    assert plan["ahead"] == 2
    assert plan["seconds_ahead"] == pytest.approx(plan["seconds"] * 2 / 3, abs=0.11)


def test_resume_runs_new_rows(ivk: Ivk, tmp_path: Path, client: InvokeAIClient) -> None:
    table = tmp_path / "runs.csv"
    words = ["sweep", "add.json", "--rows", "runs.csv", "-o", "kept", "--json"]
    table.write_text("a,b\n101,2\n103,4\n")
    first = [json.loads(line) for line in ivk(*words).stdout.splitlines()]
    assert first[-1]["runs"] == 2
    table.write_text("a,b\n105,6\n101,2\n103,4\n103,4\n")
    done = ivk(*words, "--resume")
    assert done.returncode == 0, done.stderr
    assert "with 2 new rows" in done.stderr
    *runs, result = [json.loads(line) for line in done.stdout.splitlines()]
    assert result == {"event": "result", "ok": True, "runs": 4, "failed": 0}
    before = {run["item_id"] for run in first if run["event"] == "run"}
    added = [run["inputs"] for run in runs if run["item_id"] not in before]
    assert sorted(added, key=str) == [{"a": 103, "b": 4}, {"a": 105, "b": 6}]
    assert len(runs) == 4
    again = ivk(*words, "--resume")
    assert "with 0 new rows" in again.stderr
    assert json.loads(again.stdout.splitlines()[-1])["runs"] == 4
    table.write_text("a\n101\n")
    refused = ivk(*words, "--resume")
    assert refused.returncode == 2
    assert "start a new sweep" in refused.stderr
    # The same from Python.
    wf = client.workflow_repo.create_workflow(workflows.add())
    assert wf.extend_sweep(tmp_path / "kept" / "sweep.jsonl", [{"a": 101, "b": 2}, {"a": 107, "b": 8}]) == 1
    sweep = Sweep.resume(tmp_path / "kept" / "sweep.jsonl", client)
    assert [run.inputs["a"] for run in sweep.wait()] == [101, 103, 105, 103, 107]


def test_sweep_retry_failed(ivk: Ivk, tmp_path: Path, client: InvokeAIClient) -> None:
    document = workflows.workflow(
        "Divide", {"divide": ("div", {"a": 1, "b": 0})}, [], [("divide", "a"), ("divide", "b")]
    )
    (tmp_path / "divide.json").write_text(json.dumps(document))
    words = ["sweep", "divide.json", "-s", "b=0,1,2", "-o", "kept", "--json"]
    assert ivk(*words, "--retry-failed").returncode == 2
    first = [json.loads(line) for line in ivk(*words).stdout.splitlines()]
    assert (first[-2]["runs"], first[-2]["failed"]) == (3, 1)
    again = ivk("sweep", "divide.json", "-o", "kept", "--retry-failed", "--json")
    assert again.returncode == 1
    assert "Retrying 1 run." in again.stderr
    runs = [json.loads(line) for line in again.stdout.splitlines()]
    [failed] = [run for run in runs if run.get("state") == "failed"]
    [before] = [run for run in first if run.get("state") == "failed"]
    assert failed["inputs"] == before["inputs"] == {"b": 0}
    assert failed["item_id"] > before["item_id"]


class _Everything200(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<html>hello</html>")

    def log_message(self, format: str, *args: object) -> None:
        del format, args


@pytest.fixture
def other_server() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Everything200) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def assert_refused(done: subprocess.CompletedProcess[str], code: int, *words: str) -> None:
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr) < 1200
    said = " ".join(done.stderr.split())
    for word in words:
        assert word in said


def unknown_node() -> dict[str, Any]:
    document = workflows.add()
    document["nodes"][0]["data"]["type"] = "my_missing_node"
    return document


@pytest.mark.parametrize(
    ("content", "arguments", "code", "words"),
    [
        ("{", [], 2, ["not valid JSON"]),
        ("[1, 2]", [], 2, ["not a workflow"]),
        ('{"a": 1}', [], 2, ["not"]),
        (json.dumps(unknown_node()), [], 2, ["my_missing_node"]),
        (json.dumps(workflows.add()), ["-s", "c=1"], 2, ["'c'", "'A'"]),
        (json.dumps(workflows.add()), ["-s", "a=many"], 2, ["'many'", "whole number"]),
        (json.dumps(workflows.add()), ["-s", "a"], 2, ["NAME=VALUE"]),
        (
            json.dumps(workflows.sd1()),
            ["-s", "model=tiny-sd1", "-s", "steps=0"],
            2,
            ["Steps", "greater than 0"],
        ),
        (
            json.dumps(workflows.sd1()),
            ["-s", "model=tiny-sd1", "-s", "steps=1..3"],
            2,
            ["Steps", "'1..3'", "use `ivk sweep`"],
        ),
        (json.dumps(workflows.sd1()), ["-s", "model=no-such-model"], 2, ["no-such-model", "tiny-sd1"]),
        (json.dumps(workflows.sd1()), ["-s", "model=tiny-sdxl"], 2, ["tiny-sdxl", "tiny-sd1"]),
        (json.dumps(workflows.sd1()), [], 2, ["model"]),
    ],
)
def test_invalid_input_is_reported_and_nothing_is_sent(
    ivk: Ivk,
    tmp_path: Path,
    queue_size: Callable[[], int],
    content: str,
    arguments: list[str],
    code: int,
    words: list[str],
) -> None:
    before = queue_size()
    (tmp_path / "bad.json").write_text(content)
    assert_refused(ivk("run", "bad.json", *arguments), code, *words)
    assert queue_size() == before


def test_missing_workflow_file(ivk: Ivk) -> None:
    assert_refused(ivk("run", "nowhere.json"), 2, "nowhere.json")


def test_unreachable_server(ivk: Ivk) -> None:
    assert_refused(
        ivk("run", "add.json", "--url", "http://127.0.0.1:1"), 3, "http://127.0.0.1:1", "INVOKEAI_URL"
    )


def test_url_of_another_web_server(ivk: Ivk, other_server: str) -> None:
    assert_refused(ivk("run", "add.json", "--url", other_server), 3, other_server, "InvokeAI")


def test_url_with_a_wrong_prefix(ivk: Ivk, server: Any) -> None:
    # InvokeAI responds to unknown paths with status 200 and its web page.
    assert_refused(ivk("run", "add.json", "--url", f"{server.url}/nowhere"), 3, "/nowhere", "InvokeAI")


def test_unsupported_url_scheme(ivk: Ivk) -> None:
    assert_refused(ivk("run", "add.json", "--url", "ftp://example.org"), 2, "ftp://example.org")


def test_errors_as_json(ivk: Ivk) -> None:
    done = ivk("run", "add.json", "-s", "c=1", "--json")
    assert json.loads(done.stdout.splitlines()[-1])["code"] == "unknown_input"


def test_failed_run(ivk: Ivk, tmp_path: Path) -> None:
    document = workflows.workflow("Fails", {"divide": ("div", {"a": 1, "b": 0})}, [], [("divide", "b")])
    (tmp_path / "fails.json").write_text(json.dumps(document))
    assert_refused(ivk("run", "fails.json"), 1, "divide", "ZeroDivisionError")
