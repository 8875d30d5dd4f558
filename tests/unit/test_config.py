"""Which server and who: arguments, then the environment, then the configuration file, which is its owner's alone."""

from __future__ import annotations

import os
import pickle
import stat
from pathlib import Path

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
    """Where the configuration file would be; there is none."""
    path = tmp_path / "new" / "config.toml"
    monkeypatch.setenv("INVOKEAI_CONFIG", str(path))
    return path


def written(file: Path, text: str) -> None:
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)
    file.chmod(0o600)


# --------------------------------------------------------------------------- which comes first


def test_arguments_come_before_the_environment_and_that_before_the_file(
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
    chosen = choose(profile="home")  # a profile is a server with its token, whatever the environment says
    assert (chosen.address.url, chosen.token) == ("http://home:9090", "of home")


def test_a_token_of_the_file_goes_to_its_own_server_only() -> None:
    keep_profile(Profile("default", STUDIO, "mine"))
    assert choose(STUDIO + "/").token == "mine"
    for other in ("https://studio.example.org", "http://studio.example.org/invoke", "https://evil.example"):
        assert choose(other).token is None, other
    assert choose("https://studio.example.org", base_path="invoke").token == "mine"


def test_an_email_and_a_password_come_before_any_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INVOKEAI_TOKEN", "somebody's")
    monkeypatch.setenv("INVOKEAI_EMAIL", "env@example.org")
    monkeypatch.setenv("INVOKEAI_PASSWORD", "env password")
    chosen = choose(email="me@example.org", password="mine")
    assert (chosen.token, chosen.credentials and chosen.credentials.email) == (None, "me@example.org")
    chosen = choose()  # the environment's are for when its token has ended
    assert (chosen.token, chosen.credentials and chosen.credentials.email) == (
        "somebody's",
        "env@example.org",
    )


@pytest.mark.parametrize("half", [{"email": "me@example.org"}, {"password": "x"}])
def test_one_of_the_two_is_not_enough(half: dict[str, str]) -> None:
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
    assert copy.settings.token == "t"  # from the file of where it was unpickled


def test_a_host_may_be_a_whole_url() -> None:
    assert AsyncInvokeAIClient("https://example.org/invoke").url == "https://example.org/invoke"


# --------------------------------------------------------------------------- the file


def test_the_file_is_its_owners_alone_and_says_what_was_kept(file: Path) -> None:
    odd = Profile('a "b".c\n\\ \x7f é', "http://x:1", 'quo"te\\', "é@example.org")
    for profile in (odd, Profile("default", STUDIO, "t"), Profile("open", "http://y:1")):
        assert keep_profile(profile) == file
    assert read_profiles() == {
        one.name: one for one in (odd, Profile("default", STUDIO, "t"), Profile("open", "http://y:1"))
    }
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert list(file.parent.iterdir()) == [file]
    assert "quo" not in repr(odd)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
def test_a_file_that_others_can_read_is_refused_until_it_is_mended(file: Path) -> None:
    keep_profile(Profile("default", STUDIO, "t"))
    file.chmod(0o640)
    with pytest.raises(UsageError, match=r"mode 0640.*chmod 600 .*config\.toml"):
        InvokeAIClient.from_url(STUDIO)
    assert (
        InvokeAIClient.from_url(STUDIO, api_key="mine").settings.token == "mine"
    )  # the file's is not needed
    keep_profile(Profile("default", STUDIO, "new"))
    assert InvokeAIClient.from_url(STUDIO).settings.token == "new"


def test_a_token_is_forgotten_and_its_url_is_not() -> None:
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
def test_a_broken_file_is_an_error_that_tells_no_secret(file: Path, text: str, says: str) -> None:
    written(file, text)
    with pytest.raises(UsageError, match=says) as caught:
        choose()
    assert "hunter2" not in str(caught.value)
    assert str(file) in str(caught.value)


def test_a_folder_in_its_place_is_an_error_of_ours(file: Path) -> None:
    file.mkdir(parents=True)
    with pytest.raises(UsageError, match="Cannot read the configuration file"):
        choose()


def test_where_the_file_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("INVOKEAI_CONFIG")
    monkeypatch.setenv("XDG_CONFIG_HOME", "/x")
    monkeypatch.setenv("APPDATA", "/x")
    assert config_path() == Path("/x/invokeai-py-client/config.toml")
    monkeypatch.delenv("XDG_CONFIG_HOME")
    if os.name != "nt":
        assert config_path() == Path.home() / ".config/invokeai-py-client/config.toml"


# --------------------------------------------------------------------------- renewed tokens


async def test_a_renewed_token_is_kept_for_the_next_program() -> None:
    keep_profile(Profile("default", STUDIO, "old", "me@example.org"))
    client = AsyncInvokeAIClient()
    client.settings.adopt_token("renewed")
    await client.close()
    assert read_profiles()["default"] == Profile("default", STUDIO, "renewed", "me@example.org")
    await client.close()


async def test_but_not_over_somebody_who_signed_in_meanwhile() -> None:
    keep_profile(Profile("default", STUDIO, "old"))
    client = AsyncInvokeAIClient()
    client.settings.adopt_token("renewed")
    keep_profile(Profile("default", STUDIO, "another's"))
    await client.close()
    assert read_profiles()["default"].token == "another's"
