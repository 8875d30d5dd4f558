"""The web form of docs/json-schema.md: JSON Editor in a real browser, in front of the real server."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pages
import pytest
import workflows
from aiohttp import web
from chromium import Page
from on_server import nothing_left

if TYPE_CHECKING:
    from tests.conftest import RealServer

__all__ = ["nothing_left"]

PACKAGE = "@json-editor/json-editor@2.17.2"
HELD = pages.REPOSITORY / ".cache" / "json-editor-2.17.2.js"
BLOCKS = [
    block
    for block in pages.blocks_of(pages.REPOSITORY / "docs" / "json-schema.md")
    if block.heading == "A web form"
]


@pytest.fixture(scope="session")
def json_editor(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library's file, from the npm registry. It is downloaded once."""
    if HELD.exists():
        return HELD
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip(f"npm is not installed, which downloads {PACKAGE}")
    folder = tmp_path_factory.mktemp("npm")
    packed = subprocess.run(
        [npm, "pack", PACKAGE, "--silent"], cwd=folder, capture_output=True, text=True, timeout=120
    )
    if packed.returncode:
        pytest.skip(f"{PACKAGE} cannot be downloaded from the npm registry: {packed.stderr.strip()}")
    with tarfile.open(folder / packed.stdout.strip()) as archive:
        script = archive.extractfile("package/dist/jsoneditor.js")
        assert script is not None
        HELD.parent.mkdir(exist_ok=True)
        part = HELD.with_name(f"{HELD.name}.{os.getpid()}")
        part.write_bytes(script.read())
    part.replace(HELD)
    return HELD


@pytest.fixture
async def form_url(
    json_editor: Path, server: RealServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncGenerator[str]:
    """The address of the page's own server, for an SD-1 workflow with Chinese labels on its prompts."""
    monkeypatch.chdir(tmp_path)
    text = {block.language: block.text for block in BLOCKS}
    (tmp_path / "form.html").write_text(text["html"])
    shutil.copy(json_editor, "jsoneditor.js")
    document = workflows.sd1(steps=1)
    for node, label in (("positive", "提示词"), ("negative", "提示词")):
        [data] = [one["data"] for one in document["nodes"] if one["id"] == node]
        data["label"] = ""
        data["inputs"]["prompt"]["label"] = label
    (tmp_path / "odd.json").write_text(json.dumps(document))
    program: dict[str, Any] = {"__name__": "form"}
    exec(compile(text["python"], "form.py", "exec", dont_inherit=True), program)
    runner = web.AppRunner(await program["form_app"](server.url, "odd.json"))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    await runner.cleanup()


async def test_form_built_from_a_schema_runs_the_workflow(
    page: Page, form_url: str, nothing_left: None
) -> None:
    await page.open(form_url)
    await page.until("document.querySelectorAll('#form input, #form select, #form textarea').length >= 5")
    names = await page.run("Array.from(document.querySelectorAll('[name^=\"root[\"]'), (one) => one.name)")
    keys = ["model", "prompt_1", "prompt_2", "steps", "seed"]
    assert [key for key in keys if f"root[{key}]" in names] == keys
    assert await page.run("document.querySelector('[name=\"root[steps]\"]').value") == "1"
    assert "提示词" in await page.run("document.body.innerText")
    models = "Array.from(document.querySelectorAll('[name=\"root[model]\"] option'), (one) => one.value)"
    assert "tiny-sd1" in await page.run(models)

    async def enter(key: str, value: str) -> None:
        field = f"document.querySelector('[name=\"root[{key}]\"]')"
        await page.run(
            f"{field}.value = {json.dumps(value)}; {field}.dispatchEvent(new Event('change', {{bubbles: true}}))"
        )

    await enter("steps", "0")
    await page.until(
        "document.getElementById('start').disabled && document.body.innerText.includes('at least 1')"
    )
    await enter("steps", "2")
    await enter("prompt_1", "a red fox")
    await page.until("!document.getElementById('start').disabled")
    await page.click("#start")
    await page.until("document.getElementById('image').naturalWidth === 64")
    assert await page.run("document.getElementById('message').textContent") == ""
    assert {url.split("/")[2] for url in page.requests if url.startswith("http")} == {form_url.split("/")[2]}
