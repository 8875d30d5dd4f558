"""The server and the credentials: arguments, then the environment, then the configuration file, which is private."""

from __future__ import annotations

import os
import pickle
import stat
from pathlib import Path
from typing import Any

import pytest

from invokeai_py_client import AsyncInvokeAIClient, InvokeAIClient
from invokeai_py_client.config import (
    Profile,
    choose,
    config_path,
    forget_profile,
    keep_profile,
    read_profiles,
)
from invokeai_py_client.errors import UsageError

STUDIO = "https://studio.example.org/invoke"


@pytest.fixture(autouse=True)
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the path of the configuration file, which does not exist."""
    path = tmp_path / "new" / "config.toml"
    monkeypatch.setenv("INVOKEAI_CONFIG", str(path))
    return path


def written(file: Path, text: str) -> None:
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)
    file.chmod(0o600)


# --------------------------------------------------------------------------- precedence


def test_precedence_of_arguments_environment_and_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert choose().address.url == "http://localhost:9090"
    keep_profile(Profile("default", STUDIO, "from file"))
    keep_profile(Profile("home", "http://home:9090", "of home"))
    assert (choose().address.url, choose().token) == (STUDIO, "from file")
    monkeypatch.setenv("INVOKEAI_PROFILE", "home")
    assert (choose().address.url, choose().token) == ("http://home:9090", "of home")
    monkeypatch.setenv("INVOKEAI_URL", STUDIO)
    monkeypatch.setenv("INVOKEAI_TOKEN", "from environment")
    assert (choose().address.url, choose().token) == (STUDIO, "from environment")
    chosen = choose("other:1234", api_key="argument")
    assert (chosen.address.url, chosen.token) == ("http://other:1234", "argument")
    chosen = choose(profile="home")  # a profile's token takes precedence over the environment
    assert (chosen.address.url, chosen.token) == ("http://home:9090", "of home")


def test_token_in_file_is_only_sent_to_its_server() -> None:
    keep_profile(Profile("default", STUDIO, "mine"))
    assert choose(STUDIO + "/").token == "mine"
    for other in ("https://studio.example.org", "http://studio.example.org/invoke", "https://evil.example"):
        assert choose(other).token is None, other
    assert choose("https://studio.example.org", base_path="invoke").token == "mine"


def test_email_and_password_take_precedence_over_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INVOKEAI_TOKEN", "somebody's")
    monkeypatch.setenv("INVOKEAI_EMAIL", "env@example.org")
    monkeypatch.setenv("INVOKEAI_PASSWORD", "env password")
    chosen = choose(email="me@example.org", password="mine")
    assert (chosen.token, chosen.credentials and chosen.credentials.email) == (None, "me@example.org")
    chosen = choose()  # those in the environment are used when its token has expired
    assert (chosen.token, chosen.credentials and chosen.credentials.email) == (
        "somebody's",
        "env@example.org",
    )


@pytest.mark.parametrize("half", [{"email": "me@example.org"}, {"password": "x"}])
def test_email_without_password_raises(half: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="Cannot sign in with only"):
        InvokeAIClient.from_url(email=half.get("email"), password=half.get("password"))


def test_clients_take_profiles(file: Path) -> None:
    keep_profile(Profile("studio", STUDIO, "t"))
    client = AsyncInvokeAIClient(profile="studio")
    assert (client.url, client.settings.token) == (STUDIO, "t")
    assert InvokeAIClient.from_url(profile="studio").url == STUDIO
    with pytest.raises(UsageError, match=r"No profile named 'office' .* Existing profiles: studio"):
        InvokeAIClient.from_url(profile="office")
    with pytest.raises(UsageError, match="not both"):
        InvokeAIClient.from_url(STUDIO, profile="studio")
    copy = pickle.loads(pickle.dumps(client))
    assert copy.settings.token == "t"  # from the configuration file of the process that unpickled it


@pytest.mark.parametrize(
    ("arguments", "options", "url"),
    [
        (["https://example.org/invoke"], {}, "https://example.org/invoke"),
        (["https://example.org/invoke"], {"port": 8443}, "https://example.org:8443/invoke"),
        (["gpu:9091"], {}, "http://gpu:9091"),
        (["gpu:9091", 9091], {}, "http://gpu:9091"),
        (["gpu:9091"], {"use_https": True}, "https://gpu:9091"),
        (["gpu"], {}, "http://gpu:9090"),
        (["gpu", 80], {}, "http://gpu:80"),
        (["gpu/invoke", 80], {}, "http://gpu:80/invoke"),
        (["::1"], {}, "http://[::1]:9090"),
        (["::1", 80], {}, "http://[::1]:80"),
        (["[::1]:80"], {}, "http://[::1]:80"),
        ([None, 9091], {}, "http://localhost:9091"),
        ([" localhost "], {}, "http://localhost:9090"),
    ],
)
def test_hosts(arguments: list[Any], options: dict[str, Any], url: str) -> None:
    assert AsyncInvokeAIClient(*arguments, **options).url == url
    assert InvokeAIClient(*arguments, **options).url == url


def test_host_with_two_ports() -> None:
    with pytest.raises(UsageError, match="two ports: 9091 in 'http://gpu:9091', and 80"):
        InvokeAIClient("gpu:9091", 80)


def test_hosts_in_other_places(monkeypatch: pytest.MonkeyPatch) -> None:
    assert InvokeAIClient.from_url("127.0.0.1").url == "http://127.0.0.1:9090"
    monkeypatch.setenv("INVOKEAI_URL", "gpu")
    assert InvokeAIClient().url == "http://gpu:9090"


# --------------------------------------------------------------------------- the file


def test_file_is_private_and_contains_profile(file: Path) -> None:
    odd = Profile('a "b".c\n\\ \x7f é', "http://x:1", 'quo"te\\', "é@example.org")
    for profile in (odd, Profile("default", STUDIO, "t"), Profile("open", "http://y:1")):
        assert keep_profile(profile) == file
    assert read_profiles() == {
        one.name: one for one in (odd, Profile("default", STUDIO, "t"), Profile("open", "http://y:1"))
    }
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert sorted(one.name for one in file.parent.iterdir()) == ["config.toml", "config.toml.lock"]
    assert "quo" not in repr(odd)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
def test_file_readable_by_others_is_refused(file: Path) -> None:
    keep_profile(Profile("default", STUDIO, "t"))
    file.chmod(0o640)
    with pytest.raises(UsageError, match=r"mode 0640.*chmod 600 .*config\.toml"):
        InvokeAIClient.from_url(STUDIO)
    assert (
        InvokeAIClient.from_url(STUDIO, api_key="mine").settings.token == "mine"
    )  # the token in the file is not needed
    keep_profile(Profile("default", STUDIO, "new"))
    assert InvokeAIClient.from_url(STUDIO).settings.token == "new"


def test_forget_profile_keeps_url() -> None:
    keep_profile(Profile("default", STUDIO, "t", "me@example.org"))
    assert forget_profile("default") is True
    assert read_profiles() == {"default": Profile("default", STUDIO)}
    assert forget_profile("default") is False
    assert forget_profile("nobody's") is False


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[profiles.default]\nurl = ", "is not valid TOML"),
        ("profiles = 5", "expected tables"),
        ("[profiles.default]\ntoken = 'hunter2'", "has no url"),
        ("[profiles.default]\nurl = 'http://x'\ntoken = ['hunter2']", "token in .*expected a string"),
        ("[profiles.default]\nurl = 'ftp://me:hunter2@x'", "url in .* is not valid"),
        ("profiles.default = 'hunter2'", "has no url"),
    ],
)
def test_invalid_file_raises_without_secrets(file: Path, text: str, says: str) -> None:
    written(file, text)
    with pytest.raises(UsageError, match=says) as caught:
        choose()
    assert "hunter2" not in str(caught.value)
    assert str(file) in str(caught.value)


def test_folder_instead_of_file_raises(file: Path) -> None:
    file.mkdir(parents=True)
    with pytest.raises(UsageError, match="Cannot read the configuration file"):
        choose()


def test_config_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("INVOKEAI_CONFIG")
    monkeypatch.setenv("XDG_CONFIG_HOME", "/x")
    monkeypatch.setenv("APPDATA", "/x")
    assert config_path() == Path("/x/invokeai-py-client/config.toml")
    monkeypatch.delenv("XDG_CONFIG_HOME")
    if os.name != "nt":
        assert config_path() == Path.home() / ".config/invokeai-py-client/config.toml"


# --------------------------------------------------------------------------- renewed tokens


async def test_renewed_token_is_saved() -> None:
    keep_profile(Profile("default", STUDIO, "old", "me@example.org"))
    client = AsyncInvokeAIClient()
    client.settings.adopt_token("renewed")
    await client.close()
    assert read_profiles()["default"] == Profile("default", STUDIO, "renewed", "me@example.org")
    await client.close()


async def test_renewed_token_does_not_replace_newer_sign_in() -> None:
    keep_profile(Profile("default", STUDIO, "old"))
    client = AsyncInvokeAIClient()
    client.settings.adopt_token("renewed")
    keep_profile(Profile("default", STUDIO, "another's"))
    await client.close()
    assert read_profiles()["default"].token == "another's"
