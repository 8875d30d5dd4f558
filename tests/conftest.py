"""What all tests share: one real InvokeAI with tiny models, started when the first test asks for it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from invokeai_py_client.server import LocalServer, TinyModels, install, install_tiny_models, make_tiny_models
from invokeai_py_client.server.tiny_models import tiny_flux_pack

REFERENCE = "6.14.2"
VERSION = os.environ.get("INVOKEAI_TEST_VERSION") or REFERENCE
_OURS = {"INVOKEAI_TEST_VERSION", "INVOKEAI_CLIENT_CACHE"}


@dataclass(frozen=True)
class RealServer:
    """The session's server.

    It is a stock InvokeAI but for two things: the node pack ``tiny_flux`` shrinks the sizes of FLUX that
    InvokeAI has in its code, so that tiny FLUX models load; a test that runs FLUX should say so. And it
    downloads from this machine, too.
    """

    url: str
    version: str
    root: Path
    models: list[str]
    log: Path


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "since(version): what InvokeAI can do from this version on")
    for name in tuple(os.environ):  # a developer's own server is none of the tests' business
        if name.startswith("INVOKEAI_") and name not in _OURS:
            del os.environ[name]
    os.environ["INVOKEAI_CONFIG"] = os.devnull + "/none"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Pass over what the server of ``INVOKEAI_TEST_VERSION`` cannot do: see ``make test-versions``."""
    for item in items:
        for mark in item.iter_markers("since"):
            [needed] = mark.args
            if _numbers(VERSION) < _numbers(needed):
                item.add_marker(pytest.mark.skip(reason=f"needs InvokeAI {needed} or later, not {VERSION}"))


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


@pytest.fixture(scope="session")
def say(pytestconfig: pytest.Config) -> Callable[[str], None]:
    """Say something on the terminal at once: the first run installs a server, which takes a minute."""
    manager: Any = pytestconfig.pluginmanager
    capture, reporter = manager.getplugin("capturemanager"), manager.getplugin("terminalreporter")

    def tell(sentence: str) -> None:
        with capture.global_and_fixture_disabled():
            reporter.ensure_newline()
            reporter.write_line(f"[server] {sentence}")

    return tell


@pytest.fixture(scope="session")
def tiny_models(say: Callable[[str], None]) -> TinyModels:
    """The tiny models on disk; ``.folder`` is their folder."""
    return make_tiny_models(install(VERSION, say=say), say=say)


@pytest.fixture(scope="session")
def server(say: Callable[[str], None], tiny_models: TinyModels) -> Iterator[RealServer]:
    """A real InvokeAI with all tiny models; its root is removed at the end, even when pytest is killed."""
    config: dict[str, Any] = {
        "attention_type": "torch-sdp"
    }  # "auto" takes minutes for a large picture on a CPU
    if VERSION == REFERENCE:  # older ones have no such setting, and need none
        config["allow_private_download_urls"] = (
            True  # tests that follow a download have a web server of their own
        )
    local = LocalServer(VERSION, temporary=True, config=config, node_packs=[tiny_flux_pack()], say=say)
    with local:
        names = install_tiny_models(local.url, tiny_models)
        yield RealServer(local.url, local.version, local.root, names, local.log_path)
