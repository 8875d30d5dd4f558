"""Style presets on the real server, alone and with several users, and their names in workflows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import workflows
from command import Command, ivk_command

from invokeai_py_client import (
    AsyncInvokeAIClient,
    BadRequestError,
    InvokeAIClient,
    ModelNotFoundError,
    NotReadyError,
    PermissionDeniedError,
    Run,
    UnknownNameError,
    UsageError,
)

__all__ = ["ivk_command"]

NAME = "Look of a test"


@pytest.fixture
def no_presets_left(client: InvokeAIClient) -> Iterator[None]:
    before = {preset.id for preset in client.presets.list_presets()}
    yield
    for preset in client.presets.list_presets():
        if preset.id not in before:
            client.presets.delete_preset(preset)


@pytest.fixture
def ivk(
    ivk_command: Command, client: InvokeAIClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Command:
    monkeypatch.setenv("INVOKEAI_URL", client.url)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.chdir(tmp_path)
    return ivk_command


def templated() -> dict[str, Any]:
    """Return a workflow with a style preset and a prompt, whose output is the complete prompt."""
    node = {"positive_prompt": "a cat", "negative_prompt": ""}
    form = [("template", "style_preset"), ("template", "positive_prompt")]
    return workflows.workflow("templated", {"template": ("prompt_template", node)}, [], form)


def prompts_of(run: Run) -> list[str]:
    """Return the prompts that the node of ``templated()`` made."""
    return [output.values["positive_prompt"] for output in run.outputs.of("template")]


@pytest.mark.usefixtures("no_presets_left")
async def test_a_preset_is_created_changed_and_deleted(either: AsyncInvokeAIClient, picture: bytes) -> None:
    presets = either.presets
    made = await presets.create_preset(NAME, "{prompt}, sketch", "photo", image=picture)
    assert (made.type, made.is_default, made.style_preset_id) == ("user", False, made.id)
    assert made.apply("a cat", "fog") == ("a cat, sketch", "photo")
    shown = await presets.get_picture(NAME)
    assert shown is not None
    assert shown[8:12] == b"WEBP"
    changed = await presets.update_preset(NAME.lower(), negative="{prompt}, photo")
    assert (changed.id, changed.name, changed.positive_prompt) == (made.id, NAME, "{prompt}, sketch")
    assert changed.apply("a cat", "fog") == ("a cat, sketch", "fog, photo")
    assert await presets.get_picture(made) is not None  # a request without a picture deletes it
    renamed = await presets.update_preset(made, name=f"{NAME} 2", remove_image=True)
    assert (renamed.name, renamed.image) == (f"{NAME} 2", None)
    assert await presets.get_picture(made) is None
    with pytest.raises(UnknownNameError, match=rf"No style preset named '{NAME}'. Did you mean '{NAME} 2'"):
        await presets.get_preset(NAME)
    assert await presets.delete_preset(made) is True
    assert await presets.delete_preset(made) is False
    with pytest.raises(UsageError, match=r"Pass either image or remove_image=True"):
        await presets.update_preset(made, image=picture, remove_image=True)


async def test_presets_of_the_server_are_kept(either: AsyncInvokeAIClient) -> None:
    first = next(one for one in await either.presets.list_presets() if one.is_default)
    with pytest.raises(UsageError, match=rf"'{first.name}' comes with the server and cannot be deleted"):
        await either.presets.delete_preset(first.name)
    with pytest.raises(UsageError, match=r"comes with the server and cannot be changed"):
        await either.presets.update_preset(first, positive="x")
    assert await either.presets.get_picture(first) is not None
    assert (await either.presets.get_preset(first.name)).id == first.id


@pytest.mark.usefixtures("no_presets_left")
async def test_presets_are_exported_and_imported(either: AsyncInvokeAIClient, tmp_path: Path) -> None:
    presets = either.presets
    made = await presets.create_preset(NAME, '{prompt}, "sketch"\nof, ink', "photo, ä")
    file = await presets.export_to(f"{tmp_path}/")
    assert file == tmp_path / "style-presets.csv"
    await presets.delete_preset(made)
    [back] = [one for one in await presets.import_from(file) if one.name == NAME]
    assert (back.positive_prompt, back.negative_prompt) == ('{prompt}, "sketch"\nof, ink', "photo, ä")
    other = tmp_path / "more.json"
    other.write_text(json.dumps([{"name": f"{NAME} 2", "prompt": "{prompt}!", "negative_prompt": ""}]))
    [second] = await presets.import_from(other)
    assert second.apply("a cat") == ("a cat!", "")
    other.write_text("[1]")
    with pytest.raises(BadRequestError, match=r"must be a list of objects"):
        await presets.import_from(other)
    with pytest.raises(UsageError, match=r"expected a file that ends in \.csv or \.json"):
        await presets.import_from(tmp_path / "more.txt")
    with pytest.raises(UsageError, match=r"Cannot read the file .*none\.csv: No such file"):
        await presets.import_from(tmp_path / "none.csv")


@pytest.mark.since("6.12")
@pytest.mark.usefixtures("no_presets_left")
def test_a_workflow_takes_the_name_of_a_preset(client: InvokeAIClient) -> None:
    made = client.presets.create_preset(NAME, "{prompt}, sketch")
    other = client.presets.create_preset(f"{NAME} 2", "{prompt}, oil")
    wf = client.workflow(templated())
    assert prompts_of(wf.run(style_preset=NAME)) == ["a cat, sketch"]
    assert prompts_of(wf.run(style_preset=made.id)) == ["a cat, sketch"]
    wf.set(style_preset=NAME)
    [described] = [one for one in wf.inputs if one.field_name == "style_preset"]
    assert described.field.display_value == NAME
    schema = wf.json_schema()
    assert schema["properties"]["style_preset"]["type"] == "string"
    assert schema["properties"]["style_preset"]["default"] == NAME
    sweep = wf.sweep(style_preset=[NAME, other])
    texts = {text for run in sweep for text in prompts_of(run)}
    assert texts == {"a cat, sketch", "a cat, oil"}


@pytest.mark.since("6.12")  # the node
def test_an_unknown_preset_is_reported_before_anything_is_sent(client: InvokeAIClient) -> None:
    wf = client.workflow(templated())
    known = client.presets.list_presets()[0].name
    wf.set(style_preset=f"{known}x")
    with pytest.raises(NotReadyError, match=rf"Style Preset \(template\): No style preset named '{known}x'"):
        wf.run()
    with pytest.raises(NotReadyError, match=rf"No style preset named '{known}x'\. Did you mean '{known}'"):
        wf.sweep(style_preset=[known, f"{known}x"])
    wf.set(style_preset={"style_preset_id": "of-another-server"})
    with pytest.raises(
        NotReadyError, match=r"no style preset with id 'of-another-server' on the server. Set the name of"
    ):
        wf.run()


@pytest.mark.usefixtures("no_presets_left")
def test_ivk_presets(ivk: Command, client: InvokeAIClient, tmp_path: Path, picture: bytes) -> None:
    (tmp_path / "look.png").write_bytes(picture)
    added = ivk("presets", "add", NAME, "--positive", "{prompt}, ink", "--image", "look.png")
    assert added.code == 0, added.said
    assert client.presets.get_preset(NAME).id == added.lines[0]
    assert [row[:3] for row in ivk("presets", "ls", "--mine").cells] == [[NAME, "user", "{prompt}, ink"]]
    assert len(ivk("presets", "ls", "--json").objects) > 2
    shown = dict(ivk("presets", "show", NAME).cells)
    assert (shown["positive"], shown["picture"]) == ("{prompt}, ink", "yes")
    assert ivk("presets", "export", "mine.csv").lines == ["mine.csv"]
    assert ivk("presets", "rm", NAME, "--yes").said == "Deleted 1 style preset."
    assert ivk("presets", "import", "mine.csv").said == "Imported 1 style preset."
    assert client.presets.get_preset(NAME).positive_prompt == "{prompt}, ink"
    assert ivk("presets", "add", "x").code == 2
    kept = ivk("presets", "rm", "Anime", "--yes")
    assert kept.code == 1
    assert "'Anime' comes with the server" in kept.said


@pytest.mark.since("6.12")  # the node
@pytest.mark.usefixtures("no_presets_left")
def test_ivk_run_takes_the_name_of_a_preset(ivk: Command, client: InvokeAIClient, tmp_path: Path) -> None:
    client.presets.create_preset(NAME, "{prompt}, ink")
    (tmp_path / "wf.json").write_text(json.dumps(templated()))
    ran = ivk("run", "wf.json", "-s", f"style_preset={NAME}", "--json")
    assert ran.code == 0, ran.said
    wrong = ivk("run", "wf.json", "-s", "style_preset=Look of a tesd")
    assert wrong.code == 2
    assert f"Did you mean '{NAME}'" in wrong.said


@pytest.mark.since("6.12")  # the node
def test_the_shell_completes_the_names_of_presets(
    ivk: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, client: InvokeAIClient
) -> None:
    import click
    from click.shell_completion import ShellComplete

    from invokeai_py_client.cli.main import ivk as command

    (tmp_path / "wf.json").write_text(json.dumps(templated()))
    shell = ShellComplete(command, {}, "ivk", "_IVK_COMPLETE")
    known = client.presets.list_presets()[0].name
    assert isinstance(command, click.Group)
    for words, before in ((["run", "wf.json", "-s"], "style_preset="), (["presets", "show"], "")):
        found = [one.value for one in shell.get_completions(words, before + known[:3])]
        assert before + known in found


@pytest.mark.since("6.13")
def test_without_a_language_model_the_error_says_what_to_install(ann: InvokeAIClient) -> None:
    with pytest.raises(
        ModelNotFoundError, match=r"The server has no text model .* Install one with `ivk models"
    ):
        ann.prompts.expand("a cat")


@pytest.mark.since("6.14")
def test_users_see_shared_presets_and_system_prompts_only(
    ann: InvokeAIClient, bob: InvokeAIClient, tmp_path: Path
) -> None:
    own, shared = ann.presets.create_preset(NAME), ann.presets.create_preset(f"{NAME} 2", shared=True)
    words = ann.prompts.create_system_prompt(NAME, "Write words.")
    try:
        assert {one.name for one in bob.presets.list_presets(include_default=False)} == {f"{NAME} 2"}
        with pytest.raises(UnknownNameError, match=rf"No style preset named '{NAME}'"):
            bob.presets.get_preset(NAME)
        with pytest.raises(PermissionDeniedError):
            bob.presets.get_preset(own)
        with pytest.raises(PermissionDeniedError):
            bob.presets.update_preset(shared, name="mine")
        with pytest.raises(PermissionDeniedError):
            bob.presets.delete_preset(shared)
        with pytest.raises(PermissionDeniedError):
            bob.presets.export_to(tmp_path / "all.csv")
        assert ann.presets.update_preset(own, shared=True).is_public
        assert bob.presets.get_preset(NAME).id == own.id
        assert NAME not in {one.name for one in bob.prompts.list_system_prompts()}
        ann.prompts.update_system_prompt(words, shared=True)
        assert bob.prompts.get_system_prompt(NAME).content == "Write words."
        with pytest.raises(PermissionDeniedError):
            bob.prompts.delete_system_prompt(words)
    finally:
        ann.presets.delete_preset(own)
        ann.presets.delete_preset(shared)
        ann.prompts.delete_system_prompt(words)
