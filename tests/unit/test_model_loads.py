"""For which run the server loads a model: inferred only if it is certain."""

from __future__ import annotations

from typing import Any

import pytest

from invokeai_py_client import ModelLoaded, ModelLoading
from invokeai_py_client.run.model_loads import ModelLoads
from invokeai_py_client.run.status import RunStatus, fold


class Server:
    """The events of a server with several GPUs."""

    def __init__(self) -> None:
        self.loads = ModelLoads()
        self.running = 0

    def item(self, item_id: int, status: str = "in_progress", *, known: bool = True, **more: Any) -> None:
        self.running += 1 if status == "in_progress" else -1
        if not known:
            return
        payload = {"item_id": item_id, "status": status, "queue_id": "default", "user_id": "me"}
        payload |= {"queue_status": {"in_progress": self.running}, **more}
        assert self.loads.listen("queue_item_status_changed", payload) is None

    def node(self, item_id: int, key: str, name: str = "invocation_started", node: str = "denoise") -> None:
        payload = {
            "item_id": item_id,
            "batch_id": f"batch-{item_id}",
            "queue_id": "default",
            "invocation": {"id": f"p-{item_id}", "type": "denoise_latents", "unet": {"unet": {"key": key}}},
            "invocation_source_id": node,
        }
        assert self.loads.listen(name, payload) is None

    def load(self, key: str, name: str = "model_load_started", **more: Any) -> Any:
        config = {"key": key, "name": f"Model {key}"}
        payload = {"config": config, "submodel_type": "unet", "user_id": "me", "timestamp": 3, **more}
        return self.loads.listen(name, payload)


@pytest.fixture
def server() -> Server:
    return Server()


def test_a_model_is_loaded_for_the_node_that_uses_it(server: Server) -> None:
    server.item(1)
    server.node(1, "a")
    event = server.load("a")
    assert isinstance(event, ModelLoading)
    assert (event.item_id, event.batch_id, event.node_id, event.prepared_id) == (
        1,
        "batch-1",
        "denoise",
        "p-1",
    )
    assert (event.model_key, event.model_name, event.submodel, event.timestamp) == ("a", "Model a", "unet", 3)
    assert event.what == "Model a (unet)"
    assert isinstance(server.load("a", "model_load_complete"), ModelLoaded)


def test_a_model_that_the_node_does_not_use_is_not_its_own(server: Server) -> None:
    server.item(1)
    server.node(1, "a")
    assert server.load("language model") is None


def test_nothing_is_loaded_for_an_item_between_two_nodes(server: Server) -> None:
    server.item(1)
    assert server.load("a") is None
    server.node(1, "a")
    server.node(1, "a", "invocation_complete")
    assert server.load("a") is None
    server.node(1, "a")
    server.item(1, "completed")
    assert server.load("a") is None


def test_two_gpus_with_different_models(server: Server) -> None:
    for item_id, key in ((1, "a"), (2, "b")):
        server.item(item_id)
        server.node(item_id, key)
    assert [server.load(key).item_id for key in ("a", "b")] == [1, 2]


def test_two_gpus_with_the_same_model(server: Server) -> None:
    for item_id in (1, 2):
        server.item(item_id)
        server.node(item_id, "a")
    assert server.load("a") is None
    server.item(2, "completed")
    assert server.load("a").item_id == 1


def test_an_item_that_is_not_known_may_use_the_model_too(server: Server) -> None:
    server.item(1, known=False)  # it started before the connection was made
    server.item(2)
    server.node(2, "a")
    assert server.load("a") is None
    server.item(1, "completed")
    assert server.load("a").item_id == 2


def test_after_a_gap_the_running_items_are_unknown(server: Server) -> None:
    server.item(1)
    server.node(1, "a")
    server.loads.listen("disconnect", None)
    server.loads.listen("connect", None)
    assert server.load("a") is None
    server.item(2)
    server.node(2, "a")
    assert server.load("a") is None  # item 1 is still running


def test_other_users_items_matter_only_if_their_loads_arrive(server: Server) -> None:
    server.item(1, user_id="redacted")
    server.item(2)
    server.node(2, "a")
    assert server.load("a").item_id == 2  # from 6.14, only the owner receives this event
    older = {"config": {"key": "a"}, "submodel_type": None}
    assert server.loads.listen("model_load_started", older) is None
    server.item(1, "completed", user_id="redacted")
    event = server.loads.listen("model_load_started", older)
    assert event is not None
    assert (event.item_id, event.model_name, event.what) == (2, "a", "a")


def test_the_status_names_the_model_until_it_is_loaded(server: Server) -> None:
    server.item(1)
    server.node(1, "a")
    status = fold(RunStatus(), server.load("a"))
    assert status.loading == "Model a (unet)"
    assert fold(status, server.load("a")) is status  # 6.13 sends events twice
    assert fold(status, server.load("a", "model_load_complete")).loading is None
    assert "(loading Model a (unet))" in str(fold(_running(), server.load("a")))


def _running() -> RunStatus:
    from invokeai_py_client.models import JobStatus

    return RunStatus(JobStatus.RUNNING, node_type="denoise_latents")
