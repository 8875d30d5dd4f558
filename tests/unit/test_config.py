"""The server and the credentials: arguments, then the environment, then the configuration file, which is private."""

from __future__ import annotations

import copy
import os
import pickle
import stat
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from invokeai_py_client import AsyncInvokeAIClient, InvokeAIClient
from invokeai_py_client.config import (
    Profile,
    choose,
    choose_recorded,
    forget_profile,
    keep_profile,
    read_profiles,
)
from invokeai_py_client.config_file import config_path
from invokeai_py_client.errors import UsageError
from invokeai_py_client.transport.settings import Credentials

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


# --------------------------------------------------------------------------- credentials belong to a server


def test_environment_token_goes_only_to_the_server_that_the_environment_names(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("INVOKEAI_TOKEN", "mine")
    monkeypatch.setenv("INVOKEAI_EMAIL", "me@example.org")
    monkeypatch.setenv("INVOKEAI_PASSWORD", "my password")
    assert choose("gpu:9090").token == "mine"  # the environment names no server, so the caller decides
    monkeypatch.setenv("INVOKEAI_URL", "https://gpu/invoke")
    for same in (None, "https://gpu/invoke/", "https://gpu:443/invoke", "https://GPU/invoke"):
        chosen = choose(same)
        assert (chosen.token, chosen.withheld) == ("mine", "")
        assert chosen.credentials is not None
    for other in ("http://gpu/invoke", "https://gpu", "https://gpu:8443/invoke", "https://evil.example"):
        chosen = choose(other)
        assert (chosen.token, chosen.credentials) == (None, None), other
        assert chosen.withheld.startswith("INVOKEAI_TOKEN and INVOKEAI_PASSWORD: not sent to http")
        assert choose(other, api_key="argument").token == "argument"


def test_environment_token_belongs_to_the_profile_that_the_environment_names(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    keep_profile(Profile("studio", STUDIO))
    monkeypatch.setenv("INVOKEAI_TOKEN", "mine")
    monkeypatch.setenv("INVOKEAI_PROFILE", "studio")
    assert choose().token == choose(STUDIO).token == "mine"
    assert choose("http://gpu:9090").token is None


def test_environment_password_is_not_for_another_profile(monkeypatch: pytest.MonkeyPatch) -> None:
    keep_profile(Profile("studio", STUDIO))
    monkeypatch.setenv("INVOKEAI_URL", "http://gpu:9090")
    monkeypatch.setenv("INVOKEAI_EMAIL", "me@example.org")
    monkeypatch.setenv("INVOKEAI_PASSWORD", "my password")
    assert choose(profile="studio").credentials is None
    assert choose().credentials is not None


def test_url_from_a_file_gets_only_credentials_of_its_server(monkeypatch: pytest.MonkeyPatch) -> None:
    keep_profile(Profile("studio", STUDIO, "of studio"))
    monkeypatch.setenv("INVOKEAI_TOKEN", "mine")
    foreign = choose_recorded("http://evil.example")
    assert (foreign.token, foreign.credentials) == (None, None)
    assert "because this URL comes from a file" in foreign.withheld
    assert "INVOKEAI_URL=http://evil.example" in foreign.withheld
    assert choose_recorded("http://localhost:9090").token == "mine"  # the server that this process uses
    assert choose_recorded(f"{STUDIO}/").token == "of studio"
    monkeypatch.setenv("INVOKEAI_URL", "http://me:secret@gpu:9090")
    assert choose_recorded("http://localhost:9090").token is None
    chosen = choose_recorded("http://gpu:9090")
    assert (chosen.token, chosen.address.userinfo) == ("mine", ("me", "secret"))
    monkeypatch.setenv("INVOKEAI_URL", "ftp://not-valid")
    assert choose_recorded("http://gpu:9090").token is None


def test_profile_with_basic_authentication() -> None:
    keep_profile(Profile("studio", STUDIO.replace("://", "://me:secret@"), "t"))
    chosen = choose_recorded(STUDIO)
    assert (chosen.token, chosen.address.userinfo) == ("t", ("me", "secret"))
    assert "secret" not in repr(read_profiles()["studio"])


# --------------------------------------------------------------------------- secrets


ODD = [
    "http://me:zq7@zq7/zq7%zz@host",
    "me:zq7@zq7/zq7%zz@host",
    "http://me:zq7://zq7/zq7@host",
    "me:zq7://zq7@host",
    "http://me:zq7/zq7?zq7@host:9090/invoke",
    "http://me:zq7#zq7@host",
    "http://me:zq7℀zq7@ho st",
    "http://me:[zq7@host:port",
    "ftp://me:zq7@host",
    "http://m e:zq7 zq7@host:99999",
    "http://ho st/?token=zq7",
    "http://me:1/zq7@host",
]


@pytest.mark.parametrize("url", ODD)
def test_errors_about_urls_contain_no_password(url: str) -> None:
    calls = (
        lambda: InvokeAIClient.from_url(url),
        lambda: InvokeAIClient(url, 80),
        lambda: InvokeAIClient("gpu", base_path=f"{url}?"),
    )
    for call in calls:
        with pytest.raises(UsageError) as caught:
            call()
        assert "zq7" not in f"{caught.value} {caught.value!r}"


@pytest.mark.parametrize("password", ["p@ss", "w%zz", "a:b", "p℀ss", "[x", "ü ", "%2F%3F%23%40"])
def test_odd_passwords_in_urls(password: str) -> None:
    address = InvokeAIClient.from_url(f"http://user:{password}@host:9090/invoke").settings.address
    assert (address.url, address.userinfo) == ("http://host:9090/invoke", ("user", unquote(password)))


def test_pickles_of_settings_contain_no_secrets() -> None:
    client = InvokeAIClient.from_url(
        "http://me:marker1@gpu:9090", api_key="marker2", headers={"X": "marker3"}, timeout=7
    )
    client.settings.use_token("marker2", Credentials("me", "marker4"))
    assert client.settings.credentials is not None
    for thing in (
        client.settings,
        client.settings.address,
        client._impl.connection,
        Profile("p", STUDIO, "marker5"),
    ):
        assert b"marker" not in pickle.dumps(thing)
        assert "marker" not in repr(thing)
    again = pickle.loads(pickle.dumps(client.settings))
    assert (again.address.url, again.timeout, again.token) == ("http://gpu:9090", 7, None)
    with pytest.raises(UsageError, match="cannot be pickled"):
        pickle.dumps(client.settings.credentials)
    for same in (copy.copy(client.settings), copy.deepcopy(client.settings)):
        assert same == client.settings
