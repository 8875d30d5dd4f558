"""Version 1's ways to work with a server: repositories of a client, its HTTP session, records as names."""

from __future__ import annotations

from typing import Any

import pytest
import workflows

from invokeai_py_client import BoardRepository, InvokeAIClient, WorkflowRepository
from invokeai_py_client.errors import NotFoundError, UsageError
from invokeai_py_client.ivk_fields import IvkFloatField

pytestmark = pytest.mark.usefixtures("nothing_left")


def test_repositories_of_a_client_by_base_url(client: InvokeAIClient) -> None:
    with InvokeAIClient(base_url=client.url) as older:
        wf = WorkflowRepository(older).create_workflow_from_dict(workflows.sd1(steps=2))
        wf.set(model="tiny-sd1")
        cfg = wf.get_input_value("denoise.cfg_scale")
        assert isinstance(cfg, IvkFloatField)
        cfg.value = 4.5
        assert wf._convert_to_api_format("none")["nodes"]["denoise"]["cfg_scale"] == 4.5  # type: ignore[attr-defined]
        wf.submit_sync()
        item = wf.wait_for_completion_sync(timeout=120)
        assert item["status"] == "completed"
        nodes = item["session"]["graph"]["nodes"]
        assert nodes["denoise"]["cfg_scale"] == 4.5
        board = BoardRepository(older).create_board("older")
        assert board.board_id in {record.board_id for record in client.board_repo.list_boards()}


def test_the_session_sends_requests_to_full_urls(client: InvokeAIClient, uploaded: str) -> None:
    session: Any = client.session
    assert session is client.session
    response = session.get(f"{client.base_url}/app/version", timeout=10)
    response.raise_for_status()
    assert response.json()["version"] == client.version()
    url = f"{client.base_url}/images/i/{uploaded}"
    assert session.patch(url, json={"starred": True}).json()["starred"] is True
    assert session.request("GET", url).json()["starred"] is True
    names = session.get(
        f"{client.base_url}/boards/none/image_names", params={"is_intermediate": False}
    ).json()
    assert uploaded in names
    assert session.post(f"{client.base_url}/images/unstar", json={"image_names": [uploaded]}).ok
    with pytest.raises(NotFoundError):
        session.get(f"{client.base_url}/images/i/missing.png")
    with pytest.raises(NotFoundError):
        session.delete(f"{client.base_url}/workflows/i/missing")
    with pytest.raises(UsageError, match="expected a URL that starts with"):
        session.get("http://example.org/api/v1/app/version")
