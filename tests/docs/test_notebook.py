"""The README in a notebook: both clients work inside the event loop of a Jupyter kernel."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import pages
import pytest

if TYPE_CHECKING:
    from tests.conftest import RealServer

HEADINGS = ("Quickstart", "Inputs", "Sweeps", "Async", "Errors")


def cells_of_the_readme(url: str) -> list[str]:
    """Return the README's blocks as notebook cells, with the changed last line that the README mentions."""
    blocks = [
        block
        for block in pages.blocks_of(pages.REPOSITORY / "README.md")
        if block.language == "python" and block.reason is None and block.heading in HEADINGS
    ]
    assert {block.heading for block in blocks} == set(HEADINGS)
    cells = [block.text.replace("http://localhost:9090", url) for block in blocks]
    assert sum("asyncio.run(main())" in cell for cell in cells) == 1
    return [cell.replace("asyncio.run(main())", "await main()") for cell in cells]


# Records the HTML shown below a cell during a run. At the end the cell is empty again.
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
      any("2 of 2 runs" in page for page in pages), pages[-1] == first[-1] == "")
"""


# Ignore warnings of the notebook packages.
@pytest.mark.filterwarnings("default")
def test_readme_in_a_notebook(reader: Path, server: RealServer) -> None:
    from nbclient import NotebookClient

    cells = [
        "import asyncio\nprint('a loop runs:', asyncio.get_running_loop().is_running())",
        *cells_of_the_readme(server.url),
        "wf",
        WATCHED,
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
    assert "\nshown: True True True True\n" in said["stdout"]
    [table] = [one.data["text/html"] for one in notebook.cells[-3].outputs if "data" in one]
    assert "Positive Prompt" in table
    assert (reader / "lighthouse.png").exists()
    assert len(list((reader / "async").iterdir())) == 4
