"""The resources that a client opens and closes, and the contents of a pickled client."""

from __future__ import annotations

import asyncio
import gc
import os
import pickle
import subprocess
import sys
import textwrap
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from invokeai_py_client import InvokeAIClient
from invokeai_py_client._face import wrap
from invokeai_py_client.connection import Connection
from invokeai_py_client.image.image import AsyncImage
from invokeai_py_client.run.events import parse_event
from invokeai_py_client.run.run import AsyncRun
from invokeai_py_client.run.tracker import BatchTracker
from invokeai_py_client.transport.loop import LoopThread
from invokeai_py_client.transport.settings import ConnectionSettings, ServerAddress

NOWHERE = "http://127.0.0.1:9"


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("INVOKEAI_TOKEN", raising=False)


def quick(**options: object) -> InvokeAIClient:
    return InvokeAIClient.from_url(NOWHERE, max_retries=0, **options)  # type: ignore[arg-type]


# --------------------------------------------------------------------------- open resources


def test_nothing_is_opened_before_it_is_needed() -> None:
    connection = Connection(ConnectionSettings(ServerAddress(NOWHERE)))
    assert connection._open.loop_thread is None
    assert connection.http is connection.http
    assert connection.hub is connection.hub
    assert not connection.hub.connected
    connection._open.end()
    asyncio.run(connection.close())


def test_client_can_be_closed_twice_and_reused() -> None:
    before = set(threading.enumerate())
    client = quick()
    client.close()
    for _ in range(2):
        assert client.health_check() is False
        client.close()
        client.close()
        assert set(threading.enumerate()) <= before


def test_a_with_block_leaves_no_thread() -> None:
    before = set(threading.enumerate())
    with quick() as client:
        assert client.health_check() is False
    assert set(threading.enumerate()) <= before


def test_garbage_collected_client_is_closed() -> None:
    before = set(threading.enumerate())
    client = quick()
    client.health_check()
    gone = weakref.ref(client)
    del client
    gc.collect()
    assert gone() is None
    assert set(threading.enumerate()) <= before


def test_first_calls_from_threads_share_one_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[LoopThread] = []

    class Slow(LoopThread):
        def __init__(self) -> None:
            made.append(self)
            threading.Event().wait(0.02)  # let the other threads run
            super().__init__()

    monkeypatch.setattr("invokeai_py_client.transport.loop.LoopThread", Slow)
    client = quick()
    with ThreadPoolExecutor(6) as pool:
        asked = [pool.submit(getattr, client, "_loop_thread") for _ in range(6)]
        loops = {one.result() for one in asked}
    client.close()
    assert loops == set(made)
    assert len(made) == 1


def test_end_in_loop_thread_does_not_deadlock() -> None:
    connection = Connection(ConnectionSettings(ServerAddress(NOWHERE)))

    async def end() -> None:
        connection._open.end()

    connection.loop_thread.call(end())
    connection._open.end()
    assert not connection.loop_thread.is_running


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_client_works_on_both_sides_of_a_fork() -> None:
    program = textwrap.dedent("""
        import gc, os, sys, warnings
        from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
        from threading import Thread
        from invokeai_py_client import InvokeAIClient

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            def do_GET(self):
                body = b'{"version": "6.14.2"}'
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
            def log_message(self, *args):
                return None

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        client = InvokeAIClient.from_url(f"http://127.0.0.1:{server.server_port}")
        assert client.version() == "6.14.2"
        # Python 3.12 warns of every fork in a process with threads; this test is about just that.
        warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
        child = os.fork()
        if child == 0:
            assert client.version() == "6.14.2"
            client.close()
            gc.collect()
            os._exit(7)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 7, status
        assert client.version() == "6.14.2"  # over the connection that it had before
        assert client._impl.connection.http.sent == 2
        client.close()
    """)
    done = subprocess.run(
        [sys.executable, "-W", "error::ResourceWarning", "-c", program],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.stderr, done.returncode) == ("", 0)


# --------------------------------------------------------------------------- pickles


def test_pickled_client_contains_no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    client = InvokeAIClient.from_url(
        "http://me:secret1@gpu:9090/invoke", api_key="secret2", headers={"X": "secret3"}, timeout=5
    )
    data = pickle.dumps(client)
    assert b"secret" not in data
    copy = pickle.loads(data)
    assert type(copy) is InvokeAIClient
    assert (copy.url, copy.settings.timeout, copy.settings.token) == ("http://gpu:9090/invoke", 5, None)
    monkeypatch.setenv("INVOKEAI_TOKEN", "over there")
    assert (
        pickle.loads(data).settings.token is None
    )  # the environment does not say that it is for this server
    monkeypatch.setenv("INVOKEAI_URL", "http://gpu:9090/invoke")
    assert pickle.loads(data).settings.token == "over there"


def test_used_client_can_be_pickled() -> None:
    with quick() as client:
        assert client.health_check() is False
        with pickle.loads(pickle.dumps(client)) as copy:
            assert copy.health_check() is False


def a_run() -> AsyncRun:
    tracker = BatchTracker("b-1")
    event = parse_event(
        "queue_item_status_changed", {"item_id": 41, "batch_id": "b-1", "status": "completed"}
    )
    assert event is not None
    tracker.event(event)
    return AsyncRun(Connection.to(NOWHERE), 41, tracker, inputs={"steps": 30}, labels={"d": "Denoise"})


def test_pickled_run_keeps_its_state() -> None:
    run = a_run()
    copy = pickle.loads(pickle.dumps(run))
    assert copy == run
    assert (copy.item_id, copy.batch_id, copy.inputs) == (41, "b-1", {"steps": 30})
    assert copy.status == run.status
    assert copy.status.ok
    assert copy.node_label("d") == "Denoise"


def test_pickled_synchronous_run_stays_synchronous() -> None:
    run = wrap(a_run())
    copy = pickle.loads(pickle.dumps(run))
    assert type(copy) is type(run)
    assert copy == run
    assert copy.item_id == 41


def test_pickled_image_contains_only_its_name() -> None:
    image = AsyncImage(Connection.to(NOWHERE), "x.png")
    for one in (image, wrap(image)):
        copy = pickle.loads(pickle.dumps(one))
        assert copy == one
        assert copy.name == "x.png"
        assert copy.url == f"{NOWHERE}/api/v1/images/i/x.png/full"


def test_many_runs_share_one_connection_in_a_pickle() -> None:
    connection = Connection.to(NOWHERE)
    runs = [AsyncRun(connection, number, BatchTracker("b")) for number in range(3)]
    copies = pickle.loads(pickle.dumps(runs))
    assert len({id(run.connection) for run in copies}) == 1


def test_settings_of_older_versions_get_the_defaults_of_new_ones() -> None:
    settings = InvokeAIClient.from_url(NOWHERE, timeout=7).settings
    make, arguments, state = settings.__reduce_ex__(2)[:3]
    assert isinstance(make, Callable)
    assert isinstance(state, tuple)
    del state[1]["outage_timeout"]
    restored = make(*arguments)
    restored.__setstate__(state)
    assert (restored.timeout, restored.outage_timeout) == (7, 300)
