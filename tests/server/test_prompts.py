"""Prompts on the real server: alternatives, tiny language models, and saved system prompts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import tiny_llm
import workflows
from command import Command, ivk_command

from invokeai_py_client import (
    AsyncInvokeAIClient,
    InputValueError,
    InvokeAIClient,
    LLMTaskProgress,
    ModelNotFoundError,
    NotReadyError,
    UnknownNameError,
    UsageError,
)

if TYPE_CHECKING:
    from tests.conftest import RealServer

__all__ = ["ivk_command"]

NAME = "Words of a test"


@pytest.fixture(scope="module")
def language_models(server: RealServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Two language models on the server, as long as the tests of this module run."""
    folder = tmp_path_factory.mktemp("language-models")
    made = [tiny_llm.make_text_model(folder), tiny_llm.make_vision_model(folder)]
    with InvokeAIClient.from_url(server.url) as client:
        jobs = [client.models.install_model(str(path), inplace=True) for path in made]
        keys = [job.wait_until().model_key for job in jobs]
        yield
        for key in keys:
            client.models.delete_model(str(key))


@pytest.fixture
def no_system_prompts_left(client: InvokeAIClient) -> Iterator[None]:
    before = {one.id for one in client.prompts.list_system_prompts()}
    yield
    for one in client.prompts.list_system_prompts():
        if one.id not in before:
            client.prompts.delete_system_prompt(one)


async def test_alternatives_are_spelled_out(either: AsyncInvokeAIClient) -> None:
    prompts = either.prompts
    assert await prompts.alternatives("a {red|blue} {cat|dog}") == [
        "a red cat",
        "a red dog",
        "a blue cat",
        "a blue dog",
    ]
    assert await prompts.alternatives("a {red|blue} {cat|dog}", most=2) == ["a red cat", "a red dog"]
    drawn = await prompts.alternatives("a {red|blue|green}", combinatorial=False, most=5, seed=3)
    assert len(drawn) == 5
    assert drawn == await prompts.alternatives("a {red|blue|green}", combinatorial=False, most=5, seed=3)


async def test_a_prompt_that_the_server_cannot_read_raises_its_error(either: AsyncInvokeAIClient) -> None:
    with pytest.raises(InputValueError, match=r"could not expand 'a \{red\|blue': Expected .*Close each"):
        await either.prompts.alternatives("a {red|blue")
    # Older servers hang if they get this prompt.
    with pytest.raises(
        InputValueError, match=r"does not know the wildcard '__color__' in 'a \{__color__\|x\}'"
    ):
        await either.prompts.alternatives("a {__color__|x}")
    with pytest.raises(UsageError, match=r"most: 0 is not valid; expected a whole number from 1 to 10,000"):
        await either.prompts.alternatives("a {b|c}", most=0)


@pytest.mark.since("6.14")
@pytest.mark.usefixtures("language_models")
async def test_a_language_model_expands_a_prompt_and_reports_its_progress(
    either: AsyncInvokeAIClient,
) -> None:
    seen: list[LLMTaskProgress] = []
    first = await either.prompts.expand("a cat", max_tokens=40, seed=5, on_progress=seen.append)
    assert first.seed == 5
    assert 20 < len(first.prompt) <= 40  # a token is a letter
    assert str(first) == first.prompt
    assert seen[0].phase == "loading_model"
    assert seen[-1].phase == "generating"
    assert (seen[-1].percentage, seen[-1].total_tokens) == (1.0, 40)
    assert len(set(map(repr, seen))) == len(seen)  # each once, although the server sends it to two rooms
    again = await either.prompts.expand("a cat", model="TINY-TEXT-LLM", max_tokens=40, seed=5)
    assert again == first
    saved = (await either.prompts.list_system_prompts())[1]
    assert await either.prompts.expand("a cat", max_tokens=40, seed=5, system_prompt=saved) != first
    assert (await either.prompts.expand("a cat", max_tokens=2)).seed is not None


@pytest.mark.since("6.14")
@pytest.mark.usefixtures("language_models", "nothing_left")
def test_a_vision_model_describes_an_image(client: InvokeAIClient, picture: bytes, tmp_path: Path) -> None:
    file = tmp_path / "picture.png"
    file.write_bytes(picture)
    seen: list[LLMTaskProgress] = []
    before = client.images.count_intermediates()
    words = client.prompts.describe(file, on_progress=seen.append)
    assert len(words) > 20
    assert seen[-1].percentage == 1.0
    assert client.images.count_intermediates() == before
    record = client.images.upload(picture)
    assert client.prompts.describe(record, instruction="Name its color.") != words
    client.images.delete(record)
    with pytest.raises(UnknownNameError, match=r"No image named"):
        client.prompts.describe(record.image_name)


@pytest.mark.since("6.14")
@pytest.mark.usefixtures("language_models")
async def test_the_language_model_has_to_exist_and_fit(either: AsyncInvokeAIClient) -> None:
    with pytest.raises(
        ModelNotFoundError,
        match=r"'tiny-sd1' is of type 'main'; expected a text model .* has 'tiny-text-llm'",
    ):
        await either.prompts.expand("a cat", model="tiny-sd1")
    with pytest.raises(ModelNotFoundError, match=r"Did you mean 'tiny-text-llm'"):
        await either.prompts.expand("a cat", model="tiny-text-lm")
    with pytest.raises(UsageError, match=r"max_tokens: 5000 is not valid"):
        await either.prompts.expand("a cat", max_tokens=5000)
    with pytest.raises(UsageError, match=r"prompt: ' ' is empty"):
        await either.prompts.expand(" ")


@pytest.mark.since("6.14")
@pytest.mark.usefixtures("no_system_prompts_left")
async def test_system_prompts_by_name(either: AsyncInvokeAIClient) -> None:
    prompts = either.prompts
    made = await prompts.create_system_prompt(NAME, "Write three words.")
    assert (await prompts.get_system_prompt(NAME.lower())).content == "Write three words."
    changed = await prompts.update_system_prompt(NAME, content="Write four words.")
    assert (changed.id, changed.name, changed.content) == (made.id, NAME, "Write four words.")
    assert changed.system_prompt_id == made.id
    with pytest.raises(
        UnknownNameError, match=r"No system prompt named 'Words of a text'. Did you mean 'Words of a test'"
    ):
        await prompts.get_system_prompt("Words of a text")
    assert await prompts.delete_system_prompt(NAME) is True
    assert await prompts.delete_system_prompt(made) is False
    with pytest.raises(UnknownNameError, match=rf"No system prompt with id '{made.id}'"):
        await prompts.update_system_prompt(made, name="Other")


@pytest.mark.since("6.14")
@pytest.mark.usefixtures("language_models", "no_system_prompts_left")
def test_a_workflow_takes_the_name_of_a_system_prompt(client: InvokeAIClient) -> None:
    client.prompts.create_system_prompt(NAME, "Write words.")
    node = {"prompt": "a cat", "max_tokens": 8, "seed": 1}
    wf = client.workflow(
        workflows.workflow(
            "system prompt",
            {"llm": ("text_llm_with_preset", node)},
            [],
            [("llm", "system_prompt"), ("llm", "text_llm_model")],
        )
    )
    run = wf.run(system_prompt=NAME, text_llm_model="tiny-text-llm")
    [text] = run.outputs.values("llm")
    assert len(text) > 3
    with pytest.raises(
        NotReadyError, match=r"No system prompt named 'Wordz of a test'. Did you mean 'Words of a test'"
    ):
        wf.run(system_prompt="Wordz of a test", text_llm_model="tiny-text-llm")
    with pytest.raises(NotReadyError, match=r"no system prompt with id 'gone' on the server. Set the name"):
        wf.run(system_prompt={"system_prompt_id": "gone"}, text_llm_model="tiny-text-llm")


@pytest.mark.since("6.14")
@pytest.mark.usefixtures("language_models", "no_system_prompts_left", "nothing_left")
def test_ivk_prompt(
    ivk_command: Command,
    client: InvokeAIClient,
    picture: bytes,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("INVOKEAI_URL", client.url)
    monkeypatch.chdir(tmp_path)
    ivk = ivk_command
    assert ivk("prompt", "alternatives", "a {red|blue} cat").lines == ["a red cat", "a blue cat"]
    drawn = ivk("prompt", "alternatives", "{a|b}", "--random", "-n", "3", "--seed", "1", "--json").objects
    assert [one["event"] for one in drawn] == ["prompt"] * 3 + ["result"]
    wrong = ivk("prompt", "alternatives", "a {red|blue")
    assert wrong.code == 2
    assert "Close each { with a }." in wrong.said
    client.prompts.create_system_prompt(NAME, "Write words.")
    done = ivk("prompt", "expand", "a cat", "--max-tokens", "12", "--seed", "4", "--system-prompt", NAME)
    told = ivk(
        "prompt",
        "expand",
        "a cat",
        "--max-tokens",
        "12",
        "--seed",
        "4",
        "--instruction",
        "Write words.",
        "--json",
    )
    assert done.code == 0, done.said
    assert told.objects[-1]["seed"] == 4
    assert told.objects[-1]["prompt"] == done.out.rstrip("\n")
    (tmp_path / "cat.png").write_bytes(picture)
    described = ivk("prompt", "describe", "cat.png", "-m", "tiny-vision-llm", "--json").objects[-1]
    assert len(described["prompt"]) > 20
