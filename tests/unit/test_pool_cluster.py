"""Pools on Dask without a cluster: imports, arguments, and the command that joins one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from command import Command

from invokeai_py_client.errors import UsageError
from invokeai_py_client.pool.pool import AsyncInvokeAIPool

_CERTIFICATE = "the content does not matter"


@pytest.fixture
def ivk(monkeypatch: pytest.MonkeyPatch) -> Command:
    return Command(monkeypatch)


def test_only_pools_on_dask_import_it() -> None:
    script = (
        "import sys, invokeai_py_client\n"
        "from invokeai_py_client import InvokeAIPool\n"
        "from invokeai_py_client.cli.main import ivk\n"
        "InvokeAIPool(['http://localhost:9090']).close()\n"
        "assert not {'distributed', 'dask'} & sys.modules.keys(), sorted(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


@pytest.mark.cluster
def test_errors_can_be_pickled_where_dask_adds_their_contexts() -> None:
    script = (
        "import pickle\n"
        "from invokeai_py_client import InvokeAIClient\n"
        "from invokeai_py_client.errors import InvokeAIClientError\n"
        "from invokeai_py_client.models import IvkImage, IvkJob\n"
        "import distributed  # which registers all errors that there are by now\n"
        "client = InvokeAIClient.from_url('http://127.0.0.1:9', max_retries=0)\n"
        "for call in (\n"
        "    lambda: IvkImage(image_name=5),\n"
        "    lambda: IvkImage.model_validate({'image_name': None}),\n"
        "    lambda: IvkJob.model_validate({}),\n"
        "    client.image_repo.list_images,\n"
        "):\n"
        "    try:\n"
        "        call()\n"
        "        raise AssertionError(call)\n"
        "    except InvokeAIClientError as error:\n"
        "        copy = pickle.loads(pickle.dumps(error))\n"
        "        assert (type(copy), str(copy)) == (type(error), str(error))\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_without_the_extra_the_error_says_what_to_install(
    ivk: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    advice = r"needs the package distributed\. Install it: pip install 'invokeai-py-client\[cluster\]'"
    with pytest.raises(UsageError, match=advice):
        AsyncInvokeAIPool.from_dask("tls://head:8786")
    done = ivk("pool", "join", "tls://head:8786")
    assert done.code == 2 and "pip install 'invokeai-py-client[cluster]'" in done.err


@pytest.mark.cluster
@pytest.mark.parametrize("scheduler", [None, 8786, object(), "head", "http://head:8786"])
def test_invalid_schedulers(scheduler: object) -> None:
    with pytest.raises(UsageError, match=r"expected the address of a Dask scheduler, such as"):
        AsyncInvokeAIPool.from_dask(scheduler)


@pytest.fixture
def replaced(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The command that replaces this process."""
    command: list[str] = []

    def execv(_: str, arguments: list[str]) -> None:
        command.extend(arguments)

    monkeypatch.setattr(os, "execv", execv)
    monkeypatch.setenv("INVOKEAI_URL", "http://unused")
    return command


@pytest.mark.cluster
def test_join_runs_a_worker_with_an_agent(ivk: Command, replaced: list[str], tmp_path: Path) -> None:
    ca, cert, key = (tmp_path / name for name in ("ca.pem", "cert.pem", "key.pem"))
    for file in (ca, cert, key):
        file.write_text(_CERTIFICATE)
    files = ("--tls-ca", str(ca), "--tls-cert", str(cert), "--tls-key", str(key))
    url = "http://ann:secret@127.0.0.1:9090"
    done = ivk("pool", "join", "tls://head:8786", "--url", url, "--name", "gpu 1", *files)
    assert (done.code, done.out, done.err) == (0, "", "")
    assert replaced[1:5] == ["-m", "dask", "worker", "tls://head:8786"]
    assert replaced[replaced.index("--preload") :] == [
        "--preload", "invokeai_py_client.pool.dask_worker", "--agent", "gpu 1"
    ]  # fmt: skip
    assert replaced[replaced.index("--tls-ca-file") + 1] == str(ca)
    assert replaced[replaced.index("--nthreads") + 1] == "2"
    assert os.environ["INVOKEAI_URL"] == url  # and not among the arguments, which other users see


@pytest.mark.cluster
def test_join_starts_a_server(ivk: Command, replaced: list[str], tmp_path: Path) -> None:
    assert ivk("pool", "join", "tcp://localhost:8786", "--root", str(tmp_path)).code == 0
    assert replaced[-2:] == ["--root", str(tmp_path)]


@pytest.mark.cluster
def test_join_warns_of_a_scheduler_that_is_not_encrypted(ivk: Command, replaced: list[str]) -> None:
    assert "not encrypted" in ivk("pool", "join", "tcp://head:8786").err
    assert replaced
    for address in ("tcp://127.0.0.1:8786", "tcp://localhost:8786", "tls://head:8786"):
        assert ivk("pool", "join", address).err == ""


@pytest.mark.cluster
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["head"], "No pool named 'head'"),
        (["http://gpu1:9090"], "has no scheduler"),
        (["tcp://head"], "expected the address of a Dask scheduler"),
        (["tcp://head:8786", "--url", "http://"], "Invalid server URL"),
        (["tcp://head:8786", "--url", "http://gpu", "--root", "here"], "either --url or --root"),
        (["tcp://head:8786", "--name", ""], "name"),
        (["tls://head:8786", "--tls-ca", "missing.pem"], "expected the path of an existing file"),
        (["tcp://head:8786", "--tls-ca", __file__], "which is not encrypted"),
    ],
)
def test_join_checks_its_arguments(
    ivk: Command, replaced: list[str], arguments: list[str], message: str
) -> None:
    done = ivk("pool", "join", *arguments)
    assert done.code == 2
    assert message in done.said
    assert not replaced
