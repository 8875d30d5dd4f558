"""README and docs in a notebook: both clients work inside the event loop of a Jupyter kernel."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import pages
import pytest

if TYPE_CHECKING:
    from tests.conftest import RealServer

PAGES = ("README.md", "docs/async.md")


def cells_of_the_pages(url: str) -> list[str]:
    """Return the Python blocks of the pages, with ``await main()`` as docs/async.md says."""
    blocks = [
        block
        for page in PAGES
        for block in pages.blocks_of(pages.REPOSITORY / page)
        if block.language == "python" and block.reason is None
    ]
    assert {block.page for block in blocks} == set(PAGES)
    cells = [block.text.replace("http://localhost:9090", url) for block in blocks]
    assert sum("asyncio.run(main())" in cell for cell in cells) == 1
    return [cell.replace("asyncio.run(main())", "await main()") for cell in cells]


# Records the HTML below a cell during a run. In the end, a run leaves its image there, and a sweep leaves nothing.
WATCHED = """
from invokeai_py_client.display import notebook
pages, show = [], notebook.Cell.show
def watch(cell, html, *, at_once=False):
    pages.append(html)
    show(cell, html, at_once=at_once)
notebook.Cell.show = watch
wf.run(steps=12, seed=77)
first = list(pages)
pages.clear()
wf.sweep(seed=range(2)).wait()
print("shown:", any("<progress" in page for page in first), any("<img src=" in page for page in first),
      any("2 of 2 runs" in page for page in pages), "<progress" not in first[-1], "<img src=" in first[-1],
      pages[-1] == "")
"""

# Objects of both clients display themselves as the last expression of a cell, inside the running event loop.
DISPLAYED = (
    "shown = wf.run(steps=4, seed=78, progress=False)\nshown",
    "shown.images[0]",
    "from invokeai_py_client import AsyncInvokeAIClient\n"
    "other = AsyncInvokeAIClient.from_url({url!r})\n"
    "again = await other.run(shown.item_id)\nawait again.wait()\nagain",
    "again.images[0]",
    "await other.close()",
)


# Warnings of the notebook's own machinery are ignored.
@pytest.mark.filterwarnings("default")
def test_pages_in_a_notebook(reader: Path, server: RealServer) -> None:
    from nbclient import NotebookClient

    cells = [
        "import asyncio\nprint('a loop runs:', asyncio.get_running_loop().is_running())",
        *cells_of_the_pages(server.url),
        "wf",
        WATCHED,
        *(cell.format(url=server.url) for cell in DISPLAYED),
        "print('both still work:', client.version(), (await asyncio.to_thread(client.health_check)))\nclient.close()",
    ]
    notebook: Any = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    NotebookClient(
        notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(reader)}}
    ).execute()

    outputs = [output for cell in notebook.cells for output in cell.outputs]
    said = {
        name: "".join(one.text for one in outputs if one.output_type == "stream" and one.name == name)
        for name in ("stdout", "stderr")
    }
    assert not [one for one in outputs if one.output_type == "error"]
    assert "Traceback" not in said["stdout"] + said["stderr"]
    assert "Warning" not in said["stderr"]
    assert said["stdout"].startswith("a loop runs: True\n")
    assert "invocation_complete" in said["stdout"]  # of the asynchronous client
    assert said["stdout"].endswith(f"both still work: {server.version} True\n")
    assert "\nshown: True True True True True True\n" in said["stdout"]
    tables = notebook.cells[-3 - len(DISPLAYED)]
    [table] = [one.data["text/html"] for one in tables.outputs if "data" in one]
    assert "Positive Prompt" in table
    results = [cell.outputs[0].data for cell in notebook.cells[-1 - len(DISPLAYED) : -2]]
    assert ["image/png" in data for data in results] == [False, True, False, True]
    assert all("data:image/webp" in data["text/html"] for data in results[::2])
    assert (reader / "lighthouse.png").exists()
    assert len(list((reader / "async").iterdir())) == 4
