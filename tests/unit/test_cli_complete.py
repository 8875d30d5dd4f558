"""Shell completion of names, with a client that needs no server."""

from __future__ import annotations

import shutil
import subprocess
from types import SimpleNamespace
from typing import Any, Self

import pytest

from invokeai_py_client import InvokeAIClient
from invokeai_py_client.cli.main import ivk
from invokeai_py_client.cli.output import run_command
from invokeai_py_client.errors import ServerUnreachableError

NAMES = ["Text to Image - SDXL", "Text to Image - SD1.5, LoRA", "Upscaler"]


class Inputs(list[SimpleNamespace]):
    """The inputs of a workflow, all of which accept two schedulers."""

    def find(self, name: str) -> SimpleNamespace:
        del name
        return SimpleNamespace(
            field=SimpleNamespace(choices=("euler", "euler_a"), type_text="SchedulerField")
        )


class Library:
    """A client whose server has a few workflows."""

    url: str | None = None

    def __init__(self) -> None:
        self.workflow_repo = self
        self.server = self
        self.nodes = self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        del exception

    def create_workflow(self, source: str) -> SimpleNamespace:
        assert source == "portrait.json"
        prompt = SimpleNamespace(label="Positive Prompt", field_name="prompt", connected=False)
        fed = SimpleNamespace(label="Width", field_name="width", connected=True)
        return SimpleNamespace(inputs=Inputs([prompt, fed]))

    def providers(self) -> list[SimpleNamespace]:
        return [SimpleNamespace(provider_id=name) for name in ("gemini", "openai")]

    def list_packs(self) -> list[SimpleNamespace]:
        return [SimpleNamespace(name="amber")]

    def schema(self) -> dict[str, SimpleNamespace]:
        return {"add": SimpleNamespace(node_pack="invokeai", category="math")}

    def list_workflows(self) -> list[dict[str, Any]]:
        return [{"name": name} for name in NAMES]


def completed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], shell: str, *words: str
) -> list[str]:
    for name, value in {
        "_IVK_COMPLETE": f"{shell}_complete",
        "COMP_WORDS": " ".join(("ivk", *words)),
        "COMP_CWORD": str(len(words)),
        "COMP_LINE": " ".join(("ivk", *words)),
    }.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit):
        run_command(ivk, [])
    return capsys.readouterr().out.strip().splitlines()


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Replace the client, and return the URLs it was created for."""
    seen = SimpleNamespace(urls=[])

    def from_url(url: str | None = None, **_: object) -> Library:
        seen.urls.append(url)
        return Library()

    monkeypatch.setattr(InvokeAIClient, "from_url", from_url)
    return seen


def test_names_with_spaces(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], library: SimpleNamespace
) -> None:
    lines = completed(monkeypatch, capsys, "zsh", "run", "text")
    assert lines[1::3] == NAMES[:2]
    assert library.urls == [None]
    lines = completed(monkeypatch, capsys, "zsh", "--url", "http://gpu:9090", "run", "up")
    assert lines[1::3] == ["Upscaler"]
    assert library.urls[-1] == "http://gpu:9090"


def test_names_that_could_control_the_terminal_are_not_proposed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], library: SimpleNamespace
) -> None:
    names = ["text one", "text \x1b[2J", "text\nplain", "text \u202e", "text\u2028x"]
    monkeypatch.setattr(Library, "list_workflows", lambda _: [{"name": name} for name in names])  # pyright: ignore[reportUnknownLambdaType]
    assert completed(monkeypatch, capsys, "zsh", "run", "text")[1::3] == ["text one"]
    assert library.urls == [None]


def test_inputs_of_a_workflow(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], library: SimpleNamespace
) -> None:
    for words in (["portrait.json", "-s", "pos"], ["portrait.json", "-s", "a=1", "-s", ""]):
        assert completed(monkeypatch, capsys, "zsh", "run", *words)[1::3] == ["positive_prompt="]
    assert completed(monkeypatch, capsys, "zsh", "run", "-s", "pos") == []
    assert library.urls == [None, None]


def test_bash_gets_the_part_after_the_last_equals_sign_or_colon(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], library: SimpleNamespace
) -> None:
    words = ("--url", "http://gpu:9090", "run", "portrait.json", "-s", "scheduler=eu")
    assert completed(monkeypatch, capsys, "bash", *words) == ["plain,euler", "plain,euler_a"]
    assert library.urls == ["http://gpu:9090"]
    assert completed(monkeypatch, capsys, "zsh", *words)[1::3] == ["scheduler=euler", "scheduler=euler_a"]
    assert completed(monkeypatch, capsys, "bash", "run", "portrait.json", "-s", "pos") == [
        "plain,positive_prompt="
    ]


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_bash_gets_escaped_names(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], library: SimpleNamespace
) -> None:
    assert library.urls == []
    proposals = "\n".join(completed(monkeypatch, capsys, "bash", "run", "Text"))
    script = (
        'response=$PROPOSALS; IFS=$\'\\n\'\nfor one in $response; do IFS="," read type value <<< "$one"; '
        'echo "$value"; done'
    )
    done = subprocess.run(
        ["bash", "-c", script],
        env={"PROPOSALS": proposals},
        capture_output=True,
        text=True,
        timeout=20,
        check=True,
    )
    assert done.stdout.splitlines() == [r"Text\ to\ Image\ -\ SDXL", r"Text\ to\ Image\ -\ SD1.5,\ LoRA"]


def test_no_proposals_without_a_server(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(url: str | None = None, **_: object) -> Library:
        del url
        raise ServerUnreachableError(message="No server responds.")

    monkeypatch.setattr(InvokeAIClient, "from_url", fail)
    assert completed(monkeypatch, capsys, "zsh", "models", "rm", "tiny") == []
    assert completed(monkeypatch, capsys, "zsh", "run", "por")[:2] == ["file", "por"]


def test_names_of_the_administration(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], library: SimpleNamespace
) -> None:
    def proposals(*words: str) -> list[str]:
        return completed(monkeypatch, capsys, "zsh", *words)[1::3]

    assert proposals("server", "providers", "set", "o") == ["openai"]
    assert proposals("nodes", "rm", "a") == ["amber"]
    assert proposals("nodes", "types", "--pack", "") == ["invokeai"]
    assert proposals("nodes", "types", "--category", "m") == ["math"]
    assert len(library.urls) == 4
    assert proposals("server", "config", "image") == ["image_subfolder_strategy="]
    assert proposals("server", "config", "image_subfolder_strategy=d") == ["image_subfolder_strategy=date"]
    assert proposals("server", "cache", "c") == ["clear"]
    assert proposals("server", "log-level", "w") == ["warning"]
    assert len(library.urls) == 4
