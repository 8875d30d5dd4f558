"""The proxy for a URL, from the environment."""

from __future__ import annotations

import os

import pytest

from invokeai_py_client.errors import ServerUnreachableError
from invokeai_py_client.transport.proxies import proxy_for

PROXY = "http://proxy.test:3128"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [*os.environ]:
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


@pytest.mark.parametrize(
    ("url", "rules", "direct"),
    [
        ("http://gpu:9090", "", False),
        ("http://gpu:9090", "*", True),
        ("http://gpu:9090", "other, *", True),
        ("http://gpu:9090", "gpu", True),
        ("http://gpu:9090", "GPU", True),
        ("http://GPU:9090", "gpu", True),
        ("http://gpu:9090", "gpu:9090", True),
        ("http://gpu:9090", "gpu:9091", False),
        ("http://gpu", "gpu:80", True),
        ("http://gpu:9090", "localhost , gpu,", True),
        ("http://gpu:9090", "pu", False),
        ("http://gpu.example.org:9090", "example.org", True),
        ("http://gpu.example.org:9090", ".example.org", True),
        ("http://gpu.example.org:9090", "*.example.org", True),
        ("http://gpu.example.org:9090", "*.Example.org:9090", True),
        ("http://gpu.example.org:9090", "example.org:9090", True),
        ("http://gpu.example.org:9090", ".example.org:80", False),
        ("http://example.org:9090", ".example.org", True),
        ("http://gpu-example.org:9090", "example.org", False),
        ("http://127.0.0.1:9090", "127.0.0.1", True),
        ("http://127.0.0.1:9090", "127.0.0.1:9090", True),
        ("http://127.0.0.1:9090", "127.0.0.1:9091", False),
        ("http://127.0.0.1:9090", "127.0.0.0/8", True),
        ("http://127.0.0.1:9090", "127.0.0.5/8", True),
        ("http://10.1.2.3", "10.1.2.0/24,192.168.0.0/16", True),
        ("http://10.1.3.3", "10.1.2.0/24,192.168.0.0/16", False),
        ("http://gpu:9090", "0.0.0.0/0", False),
        ("http://[::1]:9090", "::1", True),
        ("http://[::1]:9090", "[::1]", True),
        ("http://[::1]:9090", "[::1]:9090", True),
        ("http://[fd00::7]:9090", "fd00::/8", True),
        ("http://[fd00::7]:9090", "127.0.0.0/8", False),
        ("http://gpu:9090", "10.0.0.0/99,,/,:", False),
    ],
)
@pytest.mark.parametrize("name", ["no_proxy", "NO_PROXY"])
def test_no_proxy(url: str, rules: str, direct: bool, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", PROXY)
    monkeypatch.setenv(name, rules)
    assert (proxy_for(url) is None) is direct


def test_proxy_belongs_to_the_scheme(monkeypatch: pytest.MonkeyPatch) -> None:
    assert proxy_for("http://gpu") is None
    monkeypatch.setenv("HTTPS_PROXY", PROXY)
    assert proxy_for("http://gpu") is None
    found = proxy_for("https://gpu")
    assert found is not None
    assert (found.url, found.shown, found.target) == (PROXY, f"{PROXY} (HTTPS_PROXY)", "gpu:443")
    monkeypatch.setenv("https_proxy", "proxy.test:1")
    found = proxy_for("https://gpu:9090")
    assert found is not None
    assert (found.url, found.source, found.target) == ("http://proxy.test:1", "https_proxy", "gpu:9090")


def test_password_of_a_proxy_is_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://ann:secret@proxy.test:3128")
    found = proxy_for("http://gpu")
    assert found is not None
    assert found.shown == "http://proxy.test:3128 (HTTP_PROXY)"
    assert "secret" not in f"{found!r} {found.shown} {found.way_around}"


@pytest.mark.parametrize("wrong", ["socks5://ann:secret@proxy.test:1080", "http://", "http://p:port", "://x"])
def test_invalid_proxy(wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", wrong)
    with pytest.raises(
        ServerUnreachableError, match=r"Invalid proxy .* \(HTTP_PROXY\): expected a URL"
    ) as caught:
        proxy_for("http://gpu")
    assert "secret" not in str(caught.value)
