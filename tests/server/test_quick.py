"""The quick client and library workflows on the real server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from invokeai_py_client import AsyncInvokeAIClient, BoardHandle, InvokeAIClient
from invokeai_py_client.errors import QuickTaskError, UsageError
from invokeai_py_client.quick import QuickClient
from invokeai_py_client.quick.client import AsyncQuickClient
from invokeai_py_client.workflow import WorkflowDefinition


@pytest.fixture
def board(client: InvokeAIClient) -> Iterator[BoardHandle]:
    """A board that is deleted afterwards, with its images."""
    made = client.board_repo.create_board("quick")
    yield made
    client.board_repo.delete_board(made.board_id, delete_images=True)


def test_generate_an_image_and_copy_it(client: InvokeAIClient, board: BoardHandle) -> None:
    quick = QuickClient(client)
    image = quick.generate_image_sdxl_t2i(
        positive_prompt="a lighthouse",
        negative_prompt="fog",
        width=62,
        height=101,
        steps=2,
        model_name="TINY-sd",
        scheduler="euler_ancestral",
        board_id=board.board_id,
    )
    assert image is not None
    assert (image.width, image.height, image.board_id) == (64, 104, board.board_id)
    made = client.request("GET", f"/images/i/{image.image_name}/metadata").json()
    assert made["model"]["name"] == "tiny-sdxl"
    assert (made["positive_prompt"], made["negative_prompt"]) == ("a lighthouse", "fog")
    assert (made["steps"], made["scheduler"], made["width"], made["height"]) == (2, "euler_a", 64, 104)

    copy = quick.copy_image_to_board(image.image_name, board.board_id)
    assert copy is not None
    assert copy.image_name != image.image_name
    assert board.get_image_count() == 2
    assert client.request("GET", f"/images/i/{copy.image_name}/metadata").json() == made
    workflows = [
        client.request("GET", f"/images/i/{one.image_name}/workflow").json()["workflow"]
        for one in (image, copy)
    ]
    assert workflows[0] == workflows[1] is not None, "the copy has the workflow of the original"


def test_quick_client_errors_are_value_errors(client: InvokeAIClient, uploaded: str) -> None:
    quick = QuickClient(client)
    with pytest.raises(UsageError, match=r"No image named 'nothing\.png'"):
        quick.copy_image_to_board("nothing.png", "none")
    with pytest.raises(UsageError, match="No board named 'nowhere'"):
        quick.copy_image_to_board(uploaded, "nowhere")
    with pytest.raises(UsageError, match="No board named 'nowhere'"):
        quick.generate_image_sdxl_t2i("a", "b", 64, 64, board_id="nowhere")
    with pytest.raises(UsageError, match="Invalid width or height 'wide'"):
        quick.generate_image_sdxl_t2i("a", "b", "wide", 64)  # type: ignore[arg-type]
    with (
        InvokeAIClient(host="127.0.0.1", port=9) as unreachable,
        pytest.raises(ValueError, match="No server responds") as caught,
    ):
        QuickClient(unreachable).copy_image_to_board(uploaded, "none")
    assert isinstance(caught.value, QuickTaskError)


async def test_async_quick_client_copies_an_image(async_client: AsyncInvokeAIClient, uploaded: str) -> None:
    copy = await AsyncQuickClient(async_client).copy_image_to_board(uploaded, "none")
    assert copy is not None
    assert copy.board_id is None
    await async_client.image_repo.delete([copy.image_name])


def test_library_workflows(client: InvokeAIClient) -> None:
    repo = client.workflow_repo
    definition = WorkflowDefinition.from_dict(
        {"name": "kept", "meta": {"version": "3.0.0", "category": "user"}, "nodes": [], "edges": []}
        | dict.fromkeys(("author", "description", "version", "contact", "tags", "notes"), "")
        | {"exposedFields": []}
    )
    workflow_id = repo.upload_workflow(definition)
    kept = repo.download_workflow(workflow_id)
    assert kept is not None
    assert (kept.name, kept.id) == ("kept", workflow_id)
    renamed = WorkflowDefinition.from_dict(kept.to_dict() | {"name": "renamed"})
    assert repo.upload_workflow(renamed, overwrite=True) == workflow_id
    assert [one["name"] for one in repo.list_available_workflows() if one["workflow_id"] == workflow_id] == [
        "renamed"
    ]
    assert repo.delete_workflow(workflow_id) is True
    assert repo.delete_workflow(workflow_id) is False
    assert repo.download_workflow(workflow_id) is None


def test_custom_requests(client: InvokeAIClient, uploaded: str) -> None:
    answer = client._make_request("GET", "/app/version")
    assert (answer.status_code, answer.json()["version"]) == (200, client.version())
    assert client.base_url.endswith("/api/v1")
    file = client.request("GET", f"/images/i/{uploaded}/full")
    assert (file.content_type, file.content[:4]) == ("image/png", b"\x89PNG")
    assert client.list_models("sdxl")[0].base == "sdxl"
    assert client.get_model_info(client.list_models()[0].key) == client.list_models()[0]
