"""``ivk api``: any request to the server, from the shell."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from command import Command, ivk_command
from on_server import client, picture, uploaded
from tests.conftest import RealServer

from invokeai_py_client import InvokeAIClient
from invokeai_py_client.cli.main import ivk

__all__ = ["client", "ivk_command", "picture", "uploaded"]

Piped = Callable[..., Result]


@pytest.fixture(autouse=True)
def at_server(server: RealServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INVOKEAI_URL", server.url)


@pytest.fixture
def piped() -> Piped:
    """Run ``ivk`` with its output in a pipe."""

    def run(*words: str, stdin: bytes = b"") -> Result:
        return CliRunner().invoke(ivk, words, input=stdin, catch_exceptions=False)

    return run


@pytest.fixture
def version(server: RealServer) -> bytes:
    """The response to the request for the server's version."""
    with urllib.request.urlopen(f"{server.url}/api/v1/app/version") as response:
        return response.read()


def test_json_is_raw_in_a_pipe_and_indented_in_a_terminal(
    piped: Piped, ivk_command: Command, server: RealServer, version: bytes
) -> None:
    raw = piped("api", "GET", "app/version").stdout_bytes
    assert raw == version
    assert f'"version":"{server.version}"'.encode() in raw
    shown = ivk_command("api", "get", "/api/v1/app/version", terminal=True)
    assert shown.out == json.dumps(json.loads(version), indent=2) + "\n"


def test_json_option_prints_one_object(
    ivk_command: Command, uploaded: str, tmp_path: Path, version: bytes
) -> None:
    [result] = ivk_command("api", "GET", "app/version", "--json").objects
    assert result == {"event": "result", "status": 200, "body": json.loads(version)}
    [result] = ivk_command("api", "GET", "app/version", "--json", "-i").objects
    assert result["headers"]["content-type"] == "application/json"
    target = tmp_path / "a.png"
    [result] = ivk_command("api", "GET", f"images/i/{uploaded}/full", "--json", "-o", str(target)).objects
    assert result == {
        "event": "result",
        "status": 200,
        "path": str(target),
        "size": target.stat().st_size,
    }
    done = ivk_command("api", "GET", f"images/i/{uploaded}/full", "--json")
    assert done.code == 2
    assert done.objects[-1]["code"] == "usage"


def test_fields_are_sent_as_json(piped: Piped) -> None:
    words = ("-f", "prompt=a {red|blue} fox", "-F", "combinatorial=true", "-F", "max_prompts=1")
    done = piped("api", "POST", "utilities/dynamicprompts", *words)
    assert json.loads(done.stdout)["prompts"] == ["a red fox"]
    done = piped("api", "GET", "images/", "-q", "limit=0", "-f", "board_id=none")
    assert json.loads(done.stdout)["items"] == []


def test_body_comes_from_a_file_or_standard_input(piped: Piped, tmp_path: Path) -> None:
    body = {"prompt": "a {red|blue} fox", "combinatorial": True}
    (tmp_path / "body.json").write_text(json.dumps(body))
    for source, stdin in ((str(tmp_path / "body.json"), b""), ("-", json.dumps(body).encode())):
        done = piped("api", "POST", "utilities/dynamicprompts", "--input", source, stdin=stdin)
        assert json.loads(done.stdout)["prompts"] == ["a red fox", "a blue fox"]
    done = piped(
        *("api", "POST", "utilities/dynamicprompts", "-F", "prompt=@-", "-F", "combinatorial=true"),
        stdin=b"a {red|blue} hen\n",
    )
    assert json.loads(done.stdout)["prompts"] == ["a red hen", "a blue hen"]


def test_files_and_nested_fields_are_sent_as_a_form(piped: Piped, picture: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(picture)
    words = ["-f", "data[name]=Ink", "-f", "data[positive_prompt]={prompt}, ink"]
    words += ["-F", "data[negative_prompt]=@@none", "-f", "data[type]=user"]
    done = piped("api", "POST", "style_presets/", *words, "--file", f"image={tmp_path / 'a.png'}")
    preset = json.loads(done.stdout)
    assert preset["preset_data"] == {"positive_prompt": "{prompt}, ink", "negative_prompt": "@none"}
    assert preset["image"]
    done = piped("api", "DELETE", f"style_presets/i/{preset['id']}")
    assert done.exit_code == 0
    done = piped(
        *("api", "POST", "images/upload", "-q", "image_category=user", "-q", "is_intermediate=true"),
        *("--file", "file=-"),
        stdin=picture,
    )
    name = json.loads(done.stdout)["image_name"]
    piped("api", "DELETE", f"images/i/{name}")


def test_files_are_not_printed_in_a_terminal(
    piped: Piped, ivk_command: Command, client: InvokeAIClient, uploaded: str, tmp_path: Path
) -> None:
    path = f"images/i/{uploaded}/full"
    data = client.images.download(uploaded)
    done = ivk_command("api", "GET", path, terminal=True)
    assert done.code == 2
    assert done.out == ""
    assert f"The response is a file (image/png, {len(data):,} bytes)" in done.said
    assert "Save it with -o FILE." in done.said
    assert piped("api", "GET", path).stdout_bytes == data
    assert piped("api", "GET", path, "-o", "-").stdout_bytes == data
    target = tmp_path / "new" / "a.png"
    done = ivk_command("api", "GET", path, "-o", str(target), terminal=True)
    assert (done.code, done.out) == (0, "")
    assert f"Saved {len(data):,} bytes to" in done.said
    assert target.read_bytes() == data


def test_status_and_headers_are_included(piped: Piped, uploaded: str, version: bytes) -> None:
    lines = piped("api", "HEAD", f"images/i/{uploaded}/full", "-i").stdout.splitlines()
    assert lines[0] == "HTTP 200"
    assert "content-type: image/png" in lines
    assert lines[-1] == ""
    done = piped("api", "GET", "app/version", "-i", "-H", "Accept-Encoding: identity")
    assert f"content-length: {len(version)}" in done.stdout.splitlines()
    assert done.stdout.endswith(f"\n\n{version.decode()}")


def test_text_of_others_cannot_control_the_terminal(
    ivk_command: Command, client: InvokeAIClient, server: RealServer
) -> None:
    board = client.boards.create_board("red \x1b[31m\u202e board")
    done = ivk_command("api", "GET", f"boards/{board.board_id}", terminal=True)
    assert json.loads(done.out)["board_name"] == "red \x1b[31m\u202e board"
    assert "\x1b" not in done.out
    assert "\u202e" not in done.out
    client.boards.delete_board(board.board_id)


def test_exit_codes_and_errors(ivk_command: Command, tmp_path: Path) -> None:
    done = ivk_command("api", "GET", "images/i/none.png")
    assert done.code == 1
    assert "Error: GET /api/v1/images/i/none.png failed with HTTP status 404" in done.said
    done = ivk_command("api", "GET", "images/i/none.png", "--json")
    assert done.objects == [
        {"event": "error", "code": "api_404", "message": done.said.removeprefix("Error: ")}
    ]
    done = ivk_command("api", "POST", "utilities/dynamicprompts", "-F", "combinatorial=true")
    assert done.code == 1
    assert "body.prompt: Field required" in done.said
    assert ivk_command("api", "GET", "app/version", "--url", "http://127.0.0.1:9").code == 3
    assert ivk_command("api", "GET").code == 2
    for words, message in (
        (("GET", "app/version", "-q", "a"), "Invalid option -q 'a': expected NAME=VALUE."),
        (("GET", "../secret"), "Invalid path '../secret'"),
        (("POST", "x", "--input", "-", "-f", "a=b"), "--input cannot be combined with -f, -F and --file"),
        (("POST", "x", "--input", "-"), "Standard input is not valid JSON"),
        (("POST", "x", "--file", "a=none.png"), "Cannot read the file 'none.png' for the field 'a'"),
        (("POST", "x", "-F", "a=@none.txt"), "none.txt"),
    ):
        done = ivk_command("api", *words, stdin="{")
        assert done.code == 2, words
        assert message in done.said


def test_quiet_is_not_the_query(ivk_command: Command, tmp_path: Path, version: bytes) -> None:
    target = str(tmp_path / "a.json")
    done = ivk_command("api", "GET", "app/version", "-q", "a=b", "-o", target)
    assert f"Saved {len(version)} bytes" in done.said
    assert ivk_command("api", "GET", "app/version", "--quiet", "-o", target).err == ""
