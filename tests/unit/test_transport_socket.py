"""The event connection, without a server."""

from __future__ import annotations

import asyncio
import gc
import logging
import time
from types import SimpleNamespace
from typing import Any

import pytest

from invokeai_py_client.transport import socket as transport_socket
from invokeai_py_client.transport import timing
from invokeai_py_client.transport.settings import ConnectionSettings, ServerAddress
from invokeai_py_client.transport.socket import EventSocket, Room, new_socket


async def test_canceled_subscription_reports_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    joining = asyncio.Event()

    async def connect(socket: Any, settings: ConnectionSettings) -> None:
        pass

    async def join_room(socket: Any, room: Room) -> None:
        joining.set()
        await asyncio.Event().wait()  # the server never acknowledges

    async def disconnect(*, abort: bool) -> None:
        pass

    def on(name: str, handler: Any) -> None:
        pass

    def new_socket(settings: ConnectionSettings, **options: Any) -> Any:
        return SimpleNamespace(
            on=on, eio=SimpleNamespace(disconnect=disconnect, _receive_packet=None), connected=True
        )

    for replacement in (connect, join_room, new_socket):
        monkeypatch.setattr(transport_socket, replacement.__name__, replacement)
    reported: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: reported.append(context))
    settings = ConnectionSettings(address=ServerAddress.parse("http://localhost:9090"))
    events = EventSocket(settings, lambda name, payload: None, lambda connected: None)
    flow: Any = SimpleNamespace(begin=lambda: None)

    subscribing = asyncio.create_task(events.subscribe(Room("subscribe_queue", "queue_id", "default"), flow))
    await joining.wait()
    subscribing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await subscribing
    gc.collect()
    await asyncio.sleep(0)
    assert reported == []


@pytest.mark.parametrize("names", ["socketio", "engineio"])
def test_messages_of_the_library_are_for_debugging(names: str, caplog: pytest.LogCaptureFixture) -> None:
    socket = new_socket(ConnectionSettings(ServerAddress("http://127.0.0.1:9")))
    log = socket.logger if names == "socketio" else socket.eio.logger
    with caplog.at_level(logging.DEBUG):
        log.info("sending %s", "a token")
        log.error("packet queue is empty, aborting")
        log.exception("handler error")
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("DEBUG", "packet queue is empty, aborting"),
        ("ERROR", "handler error"),
    ]


async def test_a_busy_event_loop_does_not_use_up_the_time_for_the_handshake(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(timing, "HANDSHAKE", 0.02)
    settings = ConnectionSettings(address=ServerAddress.parse("http://localhost:9090"))
    events = EventSocket(settings, lambda name, payload: None, lambda connected: None)

    async def connect(_: Any) -> None:
        for _ in range(5):
            time.sleep(timing.HANDSHAKE)  # noqa: ASYNC251 - the work of other tasks
            await asyncio.sleep(0)

    monkeypatch.setattr(events, "_connect_as", connect)
    flow: Any = SimpleNamespace(begin=lambda: None)
    await events.subscribe(Room("subscribe_queue", "queue_id", "default"), flow)  # otherwise, it raises
