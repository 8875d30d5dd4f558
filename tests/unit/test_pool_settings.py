"""Pools in the configuration file, and what writing the file leaves as it is."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from command import Command, ivk_command

from invokeai_py_client import InvokeAIPool
from invokeai_py_client._toml import change_tables
from invokeai_py_client.config import Profile, forget_profile, keep_profile, read_profiles
from invokeai_py_client.errors import UsageError
from invokeai_py_client.pool_settings import (
    PoolSettings,
    choose_pool,
    forget_pool,
    keep_pool,
    pool_addresses,
    pool_names,
    read_pool,
)
from invokeai_py_client.transport.http import HttpTransport

__all__ = ["ivk_command"]

# A file that a person maintains: comments, values over several lines, and texts that look like headers.
OWN = '''\
# My servers.
title = """
[profiles.default]
url = "not this" # one
"""

[profiles.default]  # the big one
url = 'http://gpu1:9090'
token = "old"
note = ["[pools.lab]", # a comment with ]
  "x"]

# Pools below.
[pools.lab]
servers = [
  "gpu2",   # spare
  "http://localhost:9090",
]

[other.deep]
when = 2026-01-01
size = nan
'''


@pytest.fixture(autouse=True)
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the path of the configuration file, which does not exist."""
    path = tmp_path / "config.toml"
    monkeypatch.setenv("INVOKEAI_CONFIG", str(path))
    return path


def written(file: Path, text: str) -> None:
    file.write_text(text)
    file.chmod(0o600)


# --------------------------------------------------------------------------- what writing leaves as it is


def test_saving_a_profile_changes_nothing_else(file: Path) -> None:
    written(file, OWN)
    keep_profile(Profile("default", "http://gpu1:9090", "new", "me@example.org"))
    expected = OWN.replace("url = 'http://gpu1:9090'", 'url = "http://gpu1:9090"').replace(
        'token = "old"', 'token = "new"'
    )
    assert file.read_text() == expected.replace('  "x"]\n', '  "x"]\nemail = "me@example.org"\n')
    forget_profile("default")
    assert file.read_text() == expected.replace('token = "new"\n', "")
    keep_profile(Profile('a "b".c', "http://y:1"))
    assert file.read_text() == expected.replace('token = "new"\n', "") + (
        '\n[profiles."a \\"b\\".c"]\nurl = "http://y:1"\n'
    )
    assert read_pool_names_and_profiles() == (["lab"], ["default", 'a "b".c'])


def read_pool_names_and_profiles() -> tuple[list[str], list[str]]:
    return pool_names(), list(read_profiles())


def test_removing_a_pool_changes_nothing_else(file: Path) -> None:
    written(file, OWN)
    forget_pool("lab")
    start, end = OWN.index("[pools.lab]"), OWN.index("[other.deep]")
    if OWN[start - 1] == '"':  # the text in `note`, which stays
        start = OWN.index("[pools.lab]", start + 1)
    assert file.read_text() == OWN[:start] + OWN[end:]
    keep_pool(PoolSettings("lab", ("http://a:1", "http://b:1")))
    assert file.read_text().endswith('size = nan\n\n[pools.lab]\nservers = ["http://a:1", "http://b:1"]\n')


@pytest.mark.parametrize(
    "text",
    [
        "[p.a]\nx = 1\n[p.a.b]\ny = 2\n[q]\n",
        "[p]\n[p.a]\n# end",
        '[p."a"]\nx.y = 1\n[[q]]\nz = """"a"""""\n',
        "[ p . a ]\r\nx = '''\n[p.a]\n''''\n".replace("\r", ""),
        "",
        "x = {y = [1, {z = 2}]}\n",
    ],
)
def test_tables_are_set_and_removed_in_every_form_of_toml(text: str) -> None:
    changed = change_tables(text, "p", {"a": {"k": "v", "x": None}, "new one": {"list": ["1", "2"]}})
    assert changed is not None
    data, before = tomllib.loads(changed), tomllib.loads(text)
    assert data["p"]["a"]["k"] == "v"
    assert "x" not in data["p"]["a"]
    assert data["p"]["new one"] == {"list": ["1", "2"]}
    assert {k: v for k, v in data.items() if k != "p"} == {k: v for k, v in before.items() if k != "p"}
    removed = change_tables(changed, "p", {"a": None, "new one": None})
    assert removed is not None
    assert not tomllib.loads(removed).get("p")


@pytest.mark.parametrize(
    "text", ["profiles = {default = {url = 'http://x'}}\n", "profiles.default.url = 'http://x'\n"]
)
def test_file_that_cannot_be_edited_is_left_unchanged(file: Path, text: str) -> None:
    written(file, text)
    with pytest.raises(
        UsageError, match=r"profiles is written in another form.*\[profiles\.default\] with a"
    ):
        keep_profile(Profile("default", "http://y", "secret"))
    assert file.read_text() == text


# --------------------------------------------------------------------------- reading


def test_pool_of_servers(file: Path) -> None:
    written(file, OWN + "[profiles.gpu2]\nurl = 'gpu2'\n")
    pool = read_pool("lab")
    assert pool == PoolSettings("lab", ("gpu2", "http://localhost:9090"))
    addresses = pool_addresses(pool.servers, "here")
    assert {name: one.url for name, one in addresses.items()} == {
        "gpu2": "http://gpu2:9090",
        "http://localhost:9090": "http://localhost:9090",
    }


@pytest.mark.parametrize(
    ("servers", "says"),
    [
        (["gpu1", "gpu1"], "'gpu1' is there twice"),
        (["gpu1", "http://gpu1:9090"], "'gpu1' and 'http://gpu1:9090' are the same server, http://gpu1:9090"),
        (["gpu1", "big"], "'gpu1' and 'big' are the same server"),
        (["http://a:9090", "http://a:9090/"], "'http://a:9090' and 'http://a:9090/' are the same server"),
        (["http://127.0.0.1:9090/", "http://localhost:9090"], "are the same server"),
        (["http://me:zq7@a", "http://a/"], r"'http://\*\*\*@a' and 'http://a/' are the same server"),
        (["gpu7"], "no profile named 'gpu7' in .* Did you mean 'gpu1'"),
        ([], "servers: there is no server"),
        (7, "servers: 7 is not valid; expected a list"),
        (None, "servers: None is not valid; expected a list"),
        ("lab", r"InvokeAIPool\.from_config\('lab'\)"),
        ([None], "servers: None is not valid; expected the name of a profile, or a URL"),
    ],
)
def test_invalid_servers_of_a_pool_are_one_error(
    file: Path, monkeypatch: pytest.MonkeyPatch, servers: Any, says: str
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a request was sent")

    monkeypatch.setattr(HttpTransport, "raw", refuse)
    written(file, "[profiles.gpu1]\nurl = 'http://gpu1:9090'\n[profiles.big]\nurl = 'http://GPU1:9090/'\n")
    with pytest.raises(UsageError, match=says) as caught:
        InvokeAIPool(servers)
    assert str(caught.value).startswith("servers: ")
    assert "zq7" not in str(caught.value)


def test_pool_with_a_scheduler(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(file.parent))
    monkeypatch.setenv("USERPROFILE", str(file.parent))
    for name in ("ca.pem", "me.pem", "me.key"):
        (file.parent / name).touch()
    written(
        file,
        '[pools.campus]\nscheduler = "tls://login1:8786"\ntls_ca = "~/ca.pem"\ntls_cert = "me.pem"\n'
        f'tls_key = "{file.parent / "me.key"}"\n',
    )
    pool = read_pool("campus")
    assert (pool.servers, pool.scheduler) == ((), "tls://login1:8786")
    assert [pool.tls_ca, pool.tls_cert, pool.tls_key] == [
        file.parent / name for name in ("ca.pem", "me.pem", "me.key")
    ]
    keep_pool(PoolSettings("again", (), pool.scheduler, pool.tls_ca, pool.tls_cert, pool.tls_key))
    assert pool_names() == ["again", "campus"]
    assert read_pool("again").tls_key == pool.tls_key


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ("", "has neither servers nor a scheduler"),
        ("servers = []", "has neither servers nor a scheduler"),
        ("servers = ['http://a']\nscheduler = 'tls://b:1'", "has both servers and a scheduler"),
        ("servers = 'http://a'", "servers is not valid; expected a list"),
        ("servers = [7]", "servers: 7 is not valid"),
        ("servers = ['http://a', '']", "servers: '' is not valid"),
        ("servers = ['ftp://me:zq7@a']", "servers: Invalid server URL 'ftp://a'"),
        ("server = ['http://a']", r"unknown key 'server'. Did you mean 'servers'"),
        (
            "servers = ['gpu7']",
            r"no profile named 'gpu7' .* Did you mean 'gpu1'.* write its URL: http://gpu7:9090",
        ),
        ("servers = ['http://a', 'http://a']", "'http://a' is there twice"),
        ("servers = ['gpu1', 'http://GPU1:9090/']", "'gpu1' and 'http://GPU1:9090/' are the same server"),
        (
            "servers = ['http://a', 'http://me:zq7@a:80/api/v1']",
            r"'http://a' and 'http://\*\*\*@a:80/api/v1' are",
        ),
        ("servers = ['localhost', 'http://127.0.0.1:9090']", "are the same server"),
        ("servers = ['http://[::1]:9090', 'http://localhost:9090']", "are the same server"),
        ("scheduler = 5", "scheduler is 5; expected a text"),
        ("scheduler = 'login1:8786'", "scheduler is 'login1:8786'; expected the address of a Dask scheduler"),
        ("scheduler = 'tls://login1'", "expected the address of a Dask scheduler"),
        ("scheduler = 'tls://login1:port'", "expected the address of a Dask scheduler"),
        ("scheduler = 'tcp://x:1'\ntls_ca = 'config.toml'", "not encrypted. Write tls:// instead of tcp://"),
        ("scheduler = 'tls://x:1'\ntls_key = 'config.toml'", "a tls_key without a tls_cert"),
        (
            "scheduler = 'tls://x:1'\ntls_ca = 'none.pem'",
            "tls_ca is '.*none.pem'; expected the path of an existing",
        ),
        ("scheduler = 'tls://x:1'\ntls_ca = ''", "tls_ca is ''; expected a text"),
        ("servers = ['http://a']\ntls_ca = 'config.toml'", "has tls_ca, which only a scheduler needs"),
    ],
)
def test_invalid_pool_names_the_file_and_the_table(file: Path, lines: str, says: str) -> None:
    written(file, f"[profiles.gpu1]\nurl = 'gpu1'\n[pools.lab]\n{lines}\n")
    with pytest.raises(UsageError, match=says) as caught:
        read_pool("lab")
    assert str(caught.value).startswith(f"{file}: [pools.lab]")
    assert "zq7" not in str(caught.value)
    assert pool_names() == ["lab"]  # it can be listed and removed


def test_unknown_pool_shows_how_to_create_it(file: Path) -> None:
    with pytest.raises(
        UsageError, match=r"No pool named 'lab' in .*Existing pools: none. .*ivk pool add lab"
    ):
        read_pool("lab")
    written(file, OWN)
    with pytest.raises(UsageError, match=r"Did you mean 'lab'\? Existing pools: lab\. ") as caught:
        read_pool("labs")
    example = str(caught.value).partition("to the file:\n")[2]
    assert tomllib.loads(example) == {"pools": {"labs": {"servers": ["gpu1", "http://localhost:9090"]}}}


@pytest.mark.parametrize("text", ["pools = 5", "pools = ['x']"])
def test_pools_that_are_not_tables(file: Path, text: str) -> None:
    written(file, text)
    with pytest.raises(UsageError, match="`pools` is not valid; expected tables"):
        pool_names()


def test_pool_of_the_command_line(file: Path) -> None:
    written(file, OWN + "[profiles.gpu2]\nurl = 'gpu2'\n")
    assert choose_pool("lab").servers == ("gpu2", "http://localhost:9090")
    assert choose_pool("gpu2, http://b:1").servers == ("gpu2", "http://b:1")
    assert choose_pool("http://b:1").servers == ("http://b:1",)
    assert choose_pool("tcp://login1:8786").scheduler == "tcp://login1:8786"
    for text, says in (
        ("gpu2,gpu2", "pool: servers: 'gpu2' is there twice"),
        ("gpu2,", "pool: servers: '' is not valid"),
        ("tls://me:zq7@login1:8786", r"scheduler is 'tls://\*\*\*@login1:8786'"),
        ("gpu2", "No pool named 'gpu2'"),
        ("", "pool: '' is empty"),
    ):
        with pytest.raises(UsageError, match=says):
            choose_pool(text)
    secret = choose_pool("http://me:zq7@b:1,http://c:1")
    assert "zq7" not in repr(secret)
    assert "zq7" in secret.servers[0]


# --------------------------------------------------------------------------- ivk pool


def test_pools_are_saved_and_removed_by_commands(ivk_command: Command, file: Path) -> None:
    keep_profile(Profile("gpu1", "http://gpu1:9090"))
    done = ivk_command("pool", "add", "lab", "gpu1", "http://gpu2:9090")
    assert (done.code, done.out) == (0, f"Saved pool 'lab' in {file}.\n")
    assert read_pool("lab").servers == ("gpu1", "http://gpu2:9090")
    done = ivk_command("pool", "add", "lab", "gpu1")
    assert done.code == 2
    assert "A pool named 'lab' is already in" in done.said
    done = ivk_command("pool", "add", "a,b", "gpu1")
    assert "Invalid name of a pool 'a,b'" in done.said
    done = ivk_command("pool", "add", "none")
    assert "pool none has neither servers nor a scheduler" in done.said
    assert ivk_command("pool", "add", "campus", "--scheduler", "tcp://x:1", "--json").objects == [
        {"event": "result", "ok": True, "pool": "campus", "file": str(file)}
    ]
    assert ivk_command("pool", "remove", "lab").out == f"Removed pool 'lab' from {file}.\n"
    assert ivk_command("pool", "rm", "lab").code == 2
    assert pool_names() == ["campus"]
    assert list(read_profiles()) == ["gpu1"]
