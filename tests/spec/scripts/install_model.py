"""Install a model from the server's disk, twice: ``install_model.py URL PATH``."""

import sys

from invokeai_py_client import InvokeAIClient
from invokeai_py_client.dnn_model import (
    APIRequestError,
    InstallJobStatus,
    ModelInstallConfig,
    ModelInstallJobFailed,
    ModelInstallStartError,
)


def install(path: str) -> None:
    config = ModelInstallConfig(name="installed by a script")
    try:
        handle = repo.install_model(path, config=config, inplace=True)
        info = handle.wait_until(timeout=60, poll_interval=0.2)
    except ModelInstallStartError as error:
        print("not started", type(error).__name__)
    except ModelInstallJobFailed as error:
        print("failed", error.info.error_reason if error.info else "?")
    except APIRequestError as error:
        print("refused", error.status_code)
    else:
        model = repo.get_model_by_key(info.model_key or "")
        print("installed", info.status == InstallJobStatus.COMPLETED, model.name if model else None)
        print("reason", info.extra.get("reason"))
        print("done", handle.is_done(), handle.is_failed(), handle.progress() in (None, 1.0))
        handle.raise_if_failed()


client = InvokeAIClient.from_url(sys.argv[1])
repo = client.dnn_model_repo
install(sys.argv[2])
install(sys.argv[2])
install(sys.argv[2] + ".is-not-there")
print("jobs", len(repo.list_install_jobs()) > 0, repo.get_install_job(999_999))
print("pruned", repo.prune_install_jobs(), len(repo.list_install_jobs()))
client.close()
