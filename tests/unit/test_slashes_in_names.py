"""Names with a slash. InvokeAI 6.12 and later respond to such paths with a web page instead of 404."""

from __future__ import annotations

from typing import Any

import pytest
import workflows
from fake_server import FakeServer

from invokeai_py_client.errors import NotInvokeAIError, WorkflowNotFoundError
from invokeai_py_client.run.lookup import ServerSide
from invokeai_py_client.workflow.repository import AsyncWorkflowRepository


class Server(FakeServer):
    """A fake server that responds like 6.14.2."""

    def _answer(self, path: str) -> Any:
        if "%2F" in path:
            raise NotInvokeAIError(None, None, "a web page")
        if path == "/api/v1/workflows/":
            return {"items": [{"workflow_id": "id-1", "name": "With w/ Slash"}]}
        if path == "/api/v1/workflows/i/id-1":
            return {"workflow": workflows.add()}
        return super()._answer(path)


async def test_workflow_with_a_slash_in_its_name_is_found() -> None:
    repository = AsyncWorkflowRepository(Server().connection)
    assert (await repository.get_workflow("With w/ Slash")).name == "Sum"
    with pytest.raises(WorkflowNotFoundError, match="With w/ Slash"):
        await repository.get_workflow("With/Slash")


async def test_image_name_with_a_slash_does_not_exist() -> None:
    server = ServerSide(Server(images={"a.png"}).connection)
    assert not await server.has_image("b/a.png")
    assert await server.has_image("a.png")
