"""Paths that users type: ``~`` is expanded, and invalid paths raise our errors, everywhere a path is accepted."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from photos import png

from invokeai_py_client import InvokeAIClient, WorkflowDefinition, _paths, ivk_fields
from invokeai_py_client.cli.main import ivk
from invokeai_py_client.cli.options import address_of
from invokeai_py_client.config import Profile, choose, forget_profile, keep_profile
from invokeai_py_client.config_file import config_path
from invokeai_py_client.dnn_model.start import source_text
from invokeai_py_client.engine.definition import is_document
from invokeai_py_client.errors import InvokeAIClientError, UsageError, WorkflowFormatError
from invokeai_py_client.files.atomic import AtomicFile
from invokeai_py_client.files.images import files_at
from invokeai_py_client.files.names import file_name, paths_for, paths_of_run_files, target_path
from invokeai_py_client.files.text import read_text, write_text
from invokeai_py_client.image.upload import named_sources, read_photo
from invokeai_py_client.ivk_fields import IvkImageField
from invokeai_py_client.models.image import IvkImage
from invokeai_py_client.schema.cache import SchemaCache
from invokeai_py_client.server import LocalServer, state
from invokeai_py_client.server.paths import cache_base, default_root
from invokeai_py_client.sweep.manifest import ManifestWriter, read_manifest
from invokeai_py_client.sweep.notation import numbers
from invokeai_py_client.sweep.rows import rows_of
from invokeai_py_client.transport.payload import path_part, query_of

posix_only = pytest.mark.skipif(os.name == "nt", reason="the home directory comes from elsewhere on Windows")

INVALID = {
    "NUL": "a\0b",
    "surrogate": "a\ud800b",
    "unknown user": "~nobody-of-that-name/x.png",
    "not a path": 5,
    "bytes": b"a.png",
}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home directory for the test."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    return tmp_path


@pytest.fixture
def homeless(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user without a home directory: without HOME, and without an entry in /etc/passwd."""
    import pwd

    def unknown(uid: int) -> None:
        raise KeyError(uid)

    for variable in ("HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "PYENV_ROOT"):
        monkeypatch.delenv(variable, raising=False)
    for variable in ("INVOKEAI_CONFIG", "INVOKEAI_CLIENT_CACHE", "INVOKEAI_PROFILE", "INVOKEAI_URL"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)


@pytest.mark.parametrize("path", INVALID.values(), ids=INVALID)
def test_invalid_paths(path: Any) -> None:
    with pytest.raises(UsageError, match=r"path|home directory"):
        _paths.user_path(path)
    with pytest.raises(WorkflowFormatError):
        _paths.user_path(path, WorkflowFormatError)
    assert not _paths.is_file(path)
    assert not _paths.is_folder(path)
    assert not _paths.exists(path)


def test_names_that_are_too_long_do_not_exist(tmp_path: Path) -> None:
    long = str(tmp_path / ("x" * 300))
    assert not (_paths.is_file(long) or _paths.is_folder(long) or _paths.exists(long))
    assert _paths.is_folder(tmp_path)


def test_tilde_is_the_home_directory(home: Path) -> None:
    (home / "a.png").write_bytes(b"x")
    assert _paths.user_path("~/a.png") == home / "a.png"
    assert _paths.absolute_path(Path("~")) == home
    assert _paths.is_file("~/a.png")
    assert _paths.home_folder() == home


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not delete a folder that is in use")
def test_deleted_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    monkeypatch.chdir(folder)
    folder.rmdir()
    with pytest.raises(UsageError, match="Cannot find the current folder"):
        _paths.absolute_path("x")


# --------------------------------------------------------------------------- everywhere

RECORD = IvkImage.from_api_response({"image_name": "a.png"})

USES: dict[str, Callable[[Any], object]] = {
    "WorkflowDefinition.from_file": WorkflowDefinition.from_file,
    "WorkflowDefinition.save": WorkflowDefinition.from_dict({"meta": {}, "nodes": [], "edges": []}).save,
    "an image field": lambda path: IvkImageField(value=path),
    "upload one": read_photo,
    "upload many": named_sources,
    "upload a list": lambda path: named_sources([path]),
    "a folder of images": files_at,
    "download": lambda path: target_path(path, "a.png"),
    "download many": lambda path: paths_for(["a.png"], {"a.png": RECORD}, path, "{image}", ".png"),
    "template": lambda path: file_name(path, {}, 0, "a.png"),
    "run.save": lambda path: paths_of_run_files(path, []) or file_name(path, {}, 0, "a.png"),
    "read text": read_text,
    "write text": lambda path: write_text(path, "x"),
    "rows": rows_of,
    "a model": source_text,
    "a server": LocalServer.find,
}


TEXTS = {"an image field", "template", "run.save", "a model"}
"""Uses that also accept names on the server, or replace characters that are not allowed."""


@pytest.mark.parametrize("path", ["a\0.csv", "a\ud800.csv", "~nobody-of-that-name/a.csv"])
@pytest.mark.parametrize("use", USES)
def test_every_path_raises_our_errors(
    use: str, path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    if use in TEXTS and not path.startswith("~"):
        with suppress(InvokeAIClientError):
            USES[use](path)
        return
    with pytest.raises(InvokeAIClientError):
        USES[use](path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("use", sorted(USES.keys() - TEXTS - {"a server"}))
def test_every_name_that_is_too_long_raises_our_errors(
    use: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    if use.startswith(("download", "a folder")):
        USES[use]("x" * 300)  # nothing is opened yet
        return
    with pytest.raises(InvokeAIClientError):
        USES[use]("x" * 300 + ".csv")


def test_every_path_expands_the_tilde(home: Path) -> None:
    (home / "a.png").write_bytes(png())
    (home / "a.csv").write_text("a\n1\n")
    assert read_photo("~/a.png").data == png()
    assert files_at("~") == [home / "a.png"]
    assert files_at("~/*.png") == [home / "a.png"]
    assert target_path("~/", "b.png") == home / "b.png"
    assert file_name("~/out/{image}", {}, 0, "a.png") == home / "out/a.png"
    assert len(rows_of("~/a.csv")) == 1
    write_text(Path("~/new/b.txt"), "half \udc80")
    assert read_text(home / "new/b.txt") == "half \\udc80"
    assert source_text("~/models/x") == str(home / "models/x")
    field = IvkImageField(value="~/a.png")
    assert str(home / "a.png") in repr(field.value)


@pytest.mark.parametrize("pattern", ["**x/*.png", "x[/a**b"])
def test_invalid_patterns(pattern: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="pattern"):
        files_at(pattern)


def test_manifest_with_half_a_surrogate_pair(tmp_path: Path) -> None:
    path = tmp_path / "sweep.jsonl"
    ManifestWriter(path, create=True).write("sweep", prompt="half \udc80")
    assert r"half \udc80" in path.read_text(encoding="utf-8")
    path.write_bytes(b"\x89PNG\xff")
    with pytest.raises(UsageError, match="is not the manifest of a sweep"):
        read_manifest(path)


def test_names_with_half_a_surrogate_pair() -> None:
    for send in (lambda: path_part("a\udc80", "a board"), lambda: query_of({"q": "a\udc80"})):
        with pytest.raises(UsageError, match="a lone surrogate"):
            send()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"nodes": []}', True),
        ('\ufeff {"nodes": []}', True),
        ("{broken", True),
        ('[{"nodes": []}]', True),
        ('"{\\"nodes\\": []}"', True),
        ("[draft] portrait", False),
        ('"quoted"', False),
        ("[1, 2]", False),
        ("portrait", False),
        ("x" * 300, False),
        ("[" * 5000, False),
        ("", False),
    ],
)
def test_json_text_is_told_from_names(text: str, expected: bool) -> None:
    assert is_document(text) is expected


def test_json_text_with_a_byte_order_mark() -> None:
    assert WorkflowDefinition.from_json('\ufeff{"meta": {}, "nodes": [], "edges": []}').node_count == 0
    with pytest.raises(WorkflowFormatError):
        WorkflowDefinition.from_json('[{"meta": {}, "nodes": [], "edges": []}]')


@pytest.mark.parametrize(
    "arguments",
    [
        ["inputs", "~nobody-of-that-name/x.json"],
        ["images", "put", "~nobody-of-that-name/x.png"],
        ["images", "export", "~nobody-of-that-name/o"],
        ["workflows", "push", "~nobody-of-that-name/x.json"],
        ["codegen", "~nobody-of-that-name/x.json"],
        ["server", "stop", "--root", "~nobody-of-that-name/x"],
        ["sweep", "x.json", "--rows=~nobody-of-that-name/x.csv"],
    ],
    ids=" ".join,
)
def test_command_line(arguments: list[str]) -> None:
    done = CliRunner().invoke(ivk, arguments, env={"INVOKEAI_URL": "http://127.0.0.1:9"})
    assert isinstance(done.exception, UsageError), done.exception
    assert "the home directory of the user 'nobody-of-that-name' is unknown" in str(done.exception)


# --------------------------------------------------------------------------- no home directory


@posix_only
@pytest.mark.usefixtures("homeless")
def test_no_home_directory() -> None:
    assert _paths.home_folder() is None
    assert config_path() is None
    assert choose().address.url == "http://localhost:9090"
    assert forget_profile("default") is False
    assert SchemaCache().directory is None
    assert SchemaCache().load("x") is None
    assert state.running() == []
    assert state.at_root(Path("/x")) is None
    with pytest.raises(UsageError, match="Set INVOKEAI_CONFIG"):
        keep_profile(Profile("default", "http://x", "t"))
    with pytest.raises(UsageError, match="No profile named 'x'"):
        choose(profile="x")
    with pytest.raises(UsageError, match="Set INVOKEAI_CLIENT_CACHE"):
        cache_base()
    with pytest.raises(UsageError, match="--root"):
        default_root("6.14.2")
    with pytest.raises(UsageError, match="the home directory of this user is unknown"):
        _paths.user_path("~/x")


@posix_only
@pytest.mark.usefixtures("homeless")
def test_no_home_directory_but_variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("INVOKEAI_CLIENT_CACHE", str(tmp_path / "cache"))
    keep_profile(Profile("default", "http://x", "t"))
    assert choose().address.url == "http://x"
    assert SchemaCache().directory == cache_base() == tmp_path / "cache"


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root can read every folder")
def test_home_of_another_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("INVOKEAI_CONFIG", raising=False)
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "other"))
    (tmp_path / "other" / ".config").mkdir(parents=True)
    (tmp_path / "other").chmod(0)
    assert choose().address.url == "http://localhost:9090"


# --------------------------------------------------------------------------- numbers

DIGITS = ["9" * 5000, "-" + "9" * 5000, "²", "1e5000", "\udcff", "", "1_0", "0x1", None, 1.5, True]


@pytest.mark.parametrize("text", DIGITS, ids=lambda text: str(text)[:8].encode("unicode_escape").decode())
def test_invalid_item_numbers(text: Any) -> None:
    with InvokeAIClient("127.0.0.1:9", max_retries=0) as client:
        for call in (
            client.get_job,
            client.cancel_job,
            client.queue.item,
            client.queue.cancel,
            client.models.get_install_job,
        ):
            with pytest.raises(UsageError, match=r"Invalid (queue item|installation) id"):
                call(text)


@pytest.mark.parametrize(
    "text", [*DIGITS[:8], "٣", "1,2," + "9" * 5000, "²,²,²", "1-5 [²]", "@~nobody/x", "@\0"]
)
def test_invalid_numbers_raise_our_errors(text: str) -> None:
    for name in ivk_fields.__all__:
        kind = getattr(ivk_fields, name)
        if isinstance(kind, type) and issubclass(kind, ivk_fields.IvkField):
            field: Any = kind()
            with suppress(InvokeAIClientError):
                field.parse_text(text)
            with suppress(InvokeAIClientError):
                field.value = text
    for whole in (True, False):
        with suppress(InvokeAIClientError):
            numbers(text, whole=whole)
    address_of(text)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
def test_devices_and_pipes_are_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(UsageError, match="Not a regular file"), AtomicFile(pipe):
        pass
    assert pipe.is_fifo()
    assert list(tmp_path.iterdir()) == [pipe]
