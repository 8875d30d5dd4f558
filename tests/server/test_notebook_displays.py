"""Runs and images display themselves in a notebook, with both clients and inside a running event loop."""

from __future__ import annotations

import sys
import threading
from types import SimpleNamespace
from typing import Any

import pytest
from workflows import workflow

from invokeai_py_client import AsyncInvokeAIClient, InvokeAIClient

DRAW = workflow("Draw", {"draw": ("blank_image", {"width": 64, "height": 32})}, [], final=["draw"])
ADD = workflow("Add", {"sum": ("add", {"a": 1, "b": 2})}, [])


def test_runs_and_images_display_themselves(client: InvokeAIClient) -> None:
    run = client.workflow_repo.create_workflow(DRAW).start()
    assert run._repr_html_() is None
    run.wait(60)
    html = run._repr_html_()
    assert html is not None
    assert f"Run {run.item_id}: completed in " in html
    assert html.count('<img src="data:image/webp;base64,') == 1
    assert run.images[0]._repr_png_() == client.image_repo.download(run.images[0].name)
    name = run.images[0].name
    client.image_repo.delete(name)
    assert client.image_repo.image(name)._repr_png_() is None  # a notebook shows its text instead
    assert client.workflow_repo.create_workflow(ADD).run(progress=False)._repr_html_() is None


async def test_they_display_themselves_in_a_running_event_loop(server: Any) -> None:
    async with AsyncInvokeAIClient.from_url(server.url) as client:
        wf = await client.workflow_repo.create_workflow(DRAW)
        run = await wf.run(progress=False)
        threads = threading.active_count()
        assert 'src="data:image/webp;base64,' in (run._repr_html_() or "")
        assert run.images[0]._repr_png_() == await client.image_repo.download(run.images[0].name)
        assert threading.active_count() == threads
        await client.image_repo.delete(run.images[0].name)


def test_images_of_a_run_are_the_same_objects(client: InvokeAIClient) -> None:
    run = client.workflow_repo.create_workflow(DRAW).run(progress=False)
    [image] = run.images
    assert run.images[0] is image
    image.bytes()
    client.image_repo.delete(image.name)
    assert run.images[0].bytes() == image.bytes()  # downloaded once


@pytest.mark.parametrize("preview", [True, False])
async def test_the_result_stays_below_the_cell(
    server: Any, monkeypatch: pytest.MonkeyPatch, preview: bool
) -> None:
    from invokeai_py_client.display import notebook

    pages: list[str] = []

    def show(_: notebook.Cell, html: str, *, at_once: bool = False) -> None:
        pages.append(html)

    monkeypatch.setattr(notebook.Cell, "show", show)
    monkeypatch.setitem(
        sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: SimpleNamespace(kernel="here"))
    )
    async with AsyncInvokeAIClient.from_url(server.url) as client:
        wf = await client.workflow_repo.create_workflow(DRAW)
        run = await wf.run(preview=preview)
        assert "<progress" in pages[0]
        assert "<progress" not in pages[-1]
        assert 'src="data:image/webp;base64,' in pages[-1]
        await client.image_repo.delete(run.images[0].name)
