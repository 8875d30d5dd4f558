"""The workflow library of a server without user accounts, on all versions."""

from __future__ import annotations

import io

import pytest
import workflows
from PIL import Image as Pillow
from tests.conftest import RealServer

from invokeai_py_client import AsyncInvokeAIClient, WorkflowDefinition
from invokeai_py_client.errors import NotFoundError, ServerTooOldError

NAME = "Library of a test"
OWN = ("user",)


async def test_workflows_are_filtered_counted_and_pictured(
    either: AsyncInvokeAIClient, server: RealServer, picture: bytes
) -> None:
    repo = either.workflows
    document = {**workflows.add(), "name": NAME, "tags": "sketch, moonlit"}
    saved = await repo.upload_workflow(WorkflowDefinition.from_dict(document))
    try:
        for found in (
            await repo.list_workflows(NAME),
            await repo.list_workflows(tags=["moonlit"]),
            await repo.list_workflows(categories=OWN, order_by="created_at", direction="DESC"),
        ):
            assert found[0].workflow_id == saved
        assert await repo.count_by_tag(["moonlit"], categories=OWN) == {"moonlit": 1}
        assert (await repo.count_by_category(OWN))["user"] == len(await repo.list_workflows(categories=OWN))
        await repo.mark_opened(NAME)
        assert (await repo.get_record(NAME)).opened_at
        with pytest.raises(NotFoundError, match=f"'{NAME}' has no picture"):
            await repo.get_picture(saved)
        await repo.set_picture(NAME, picture)
        with Pillow.open(io.BytesIO(await repo.get_picture(saved))) as image:
            assert image.size[0] <= 256
        assert await repo.delete_picture(saved) is True
        assert await repo.delete_picture(saved) is False
    finally:
        assert await repo.delete_workflow(saved) is True


@pytest.mark.parametrize(("method", "since"), [("list_tags", "6.10"), ("share", "6.13"), ("unshare", "6.13")])
async def test_what_the_server_is_too_old_for_is_an_error(
    either: AsyncInvokeAIClient, server: RealServer, method: str, since: str
) -> None:
    repo = either.workflows
    saved = await repo.upload_workflow(WorkflowDefinition.from_dict({**workflows.add(), "name": NAME}))
    call = getattr(repo, method)
    arguments = () if method == "list_tags" else (saved,)
    try:
        if server.is_before(since):
            with pytest.raises(ServerTooOldError, match=f"needs InvokeAI {since} or later"):
                await call(*arguments)
        else:
            assert await call(*arguments) is not None
    finally:
        await repo.delete_workflow(saved)
