"""Fixtures shared by all tests: one real InvokeAI with tiny models, started when the first test needs it."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import packs
import pytest

from invokeai_py_client.server import LocalServer, TinyModels, install, install_tiny_models, make_tiny_models
from invokeai_py_client.server.tiny_models import tiny_flux_pack

REFERENCE = "6.14.2"
VERSION = os.environ.get("INVOKEAI_TEST_VERSION") or REFERENCE
_OURS = {"INVOKEAI_TEST_VERSION", "INVOKEAI_CLIENT_CACHE"}


@dataclass(frozen=True)
class RealServer:
    """The server of the test session.

    A stock InvokeAI with three exceptions. The node pack ``tiny_flux`` shrinks the FLUX dimensions hard-coded in
    InvokeAI, so that tiny FLUX models load; a test that runs FLUX should say so. The pack ``cheap_collections`` makes
    every run more than half a second shorter. And the server may download from loopback addresses.
    """

    url: str
    version: str
    root: Path
    models: list[str]
    log: Path

    def is_before(self, version: str) -> bool:
        """Whether the server is older than a version."""
        return _numbers(self.version) < _numbers(version)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "since(version): the oldest InvokeAI version that supports this")
    config.addinivalue_line("markers", "cluster: needs the package distributed, and starts a Dask cluster")
    # The background jobs of a shell ignore Ctrl-C, and so would all processes that tests start.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)
    for name in tuple(os.environ):  # Tests must never reach the developer's own server.
        if name.startswith("INVOKEAI_") and name not in _OURS:
            del os.environ[name]
    os.environ["INVOKEAI_CONFIG"] = os.devnull + "/none"
    # With tiny models, threads of torch only wait for each other. On busy cores, that takes several times as long.
    os.environ["OMP_NUM_THREADS"] = "1"
    own = tempfile.mkdtemp(prefix="ivk-tests-")  # records of manifests and servers
    os.environ["XDG_DATA_HOME"] = own
    config.add_cleanup(lambda: shutil.rmtree(own, ignore_errors=True))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip tests that the server of ``INVOKEAI_TEST_VERSION`` does not support (see ``make test-versions``)."""
    for item in items:
        for mark in item.iter_markers("since"):
            [needed] = mark.args
            if _numbers(VERSION) < _numbers(needed):
                item.add_marker(pytest.mark.skip(reason=f"needs InvokeAI {needed} or later, not {VERSION}"))


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


@pytest.fixture(scope="session")
def say(pytestconfig: pytest.Config) -> Callable[[str], None]:
    """Print progress to the terminal immediately: the first run installs a server, which takes a minute."""
    manager: Any = pytestconfig.pluginmanager
    capture, reporter = manager.getplugin("capturemanager"), manager.getplugin("terminalreporter")
    worker = os.environ.get("PYTEST_XDIST_WORKER")  # a process of `pytest -n`, which has no reporter

    def tell(sentence: str) -> None:
        with capture.global_and_fixture_disabled():
            if worker:
                print(f"\n[server of {worker}] {sentence}", file=sys.stderr, flush=True)
                return
            reporter.ensure_newline()
            reporter.write_line(f"[server] {sentence}")

    return tell


@pytest.fixture(scope="session")
def tiny_models(say: Callable[[str], None]) -> TinyModels:
    """The tiny models on disk, in ``.folder``."""
    return make_tiny_models(install(VERSION, say=say), say=say)


@pytest.fixture(scope="session")
def server(say: Callable[[str], None], tiny_models: TinyModels) -> Iterator[RealServer]:
    """A real InvokeAI with all tiny models. Its root is removed at the end, even if pytest is killed."""
    config: dict[str, Any] = {
        "attention_type": "torch-sdp"
    }  # "auto" takes minutes for a large image on a CPU
    if VERSION == REFERENCE:  # older versions neither have nor need this setting
        config["allow_private_download_urls"] = True  # tests of downloads run a local web server
    local = LocalServer(
        VERSION,
        temporary=True,
        config=config,
        node_packs=[packs.CHEAP_COLLECTIONS, tiny_flux_pack()],
        say=say,
    )
    with local:
        names = install_tiny_models(local.url, tiny_models)
        yield RealServer(local.url, local.version, local.root, names, local.log_path)
