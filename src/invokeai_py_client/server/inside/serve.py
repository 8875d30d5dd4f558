"""Start InvokeAI's web server on a given port, and end it with the process that started it."""

# pyright: basic, reportMissingImports=false

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from .cpu import avoid_broken_amx
from .operators import declare_missing_operators

EXIT_SETTINGS = 64
EXIT_PORT = 65

_CLEAN_UP = """
import os, shutil, sys, time
group, root = int(sys.argv[1]), sys.argv[2]
for _ in range(500):
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):
        break
    time.sleep(0.02)
shutil.rmtree(root, ignore_errors=True)
"""


def main() -> None:
    """Run the server. ``sys.argv[1]`` is JSON with root, settings, ready, leashed and temporary."""
    order: dict[str, Any] = json.loads(sys.argv[1])
    if order["leashed"]:
        threading.Thread(target=_end_with_starter, args=(order,), daemon=True).start()
    sys.argv[1:] = ["--root", order["root"]]
    _apply_settings(order["settings"])
    declare_missing_operators()
    avoid_broken_amx()
    _watch_port(int(order["settings"]["port"]), Path(order["ready"]))

    from invokeai.app.run_app import run_app

    run_app()


def _apply_settings(settings: dict[str, Any]) -> None:
    """Pass the settings as environment variables, which override invokeai.yaml."""
    from invokeai.app.services.config.config_default import InvokeAIAppConfig

    unknown = sorted(set(settings) - set(InvokeAIAppConfig.model_fields))
    if unknown:
        sys.stderr.write(f"Unknown InvokeAI setting: {', '.join(unknown)}\n")
        sys.exit(EXIT_SETTINGS)
    for name, value in settings.items():
        os.environ[f"INVOKEAI_{name.upper()}"] = value if isinstance(value, str) else json.dumps(value)


def _watch_port(port: int, ready: Path) -> None:
    """Exit if the server uses another port, and write the file ``ready`` once it listens.

    If the port is in use, all versions of InvokeAI use the next free one instead (run_app). A response on the port
    would then come from another program.
    """
    import uvicorn

    class Server(uvicorn.Server):
        def __init__(self, config: uvicorn.Config) -> None:
            if config.port != port:
                sys.stderr.write(f"Port {port} is already in use.\n")
                sys.stderr.flush()
                os._exit(EXIT_PORT)  # InvokeAI's worker threads are running and would keep the process alive
            super().__init__(config)

        async def startup(self, *args: Any, **kwargs: Any) -> None:
            await super().startup(*args, **kwargs)
            if self.started:
                draft = ready.with_suffix(".tmp")
                draft.write_text(json.dumps({"pid": os.getpid(), "port": port}))
                draft.replace(ready)

    uvicorn.Server = Server


def _end_with_starter(order: dict[str, Any]) -> None:
    """End the server when standard input ends: a pipe that closes when the starter dies, even by SIGKILL."""
    while os.read(0, 1024):  # not sys.stdin, whose lock in a daemon thread breaks Python's shutdown
        pass
    if os.name == "nt":
        subprocess.run(["taskkill", "/PID", str(os.getpid()), "/T", "/F"], check=False)
        return
    group = os.getpgid(0)
    if order["temporary"]:
        subprocess.Popen(
            [sys.executable, "-I", "-c", _CLEAN_UP, str(group), order["root"]],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    else:
        os.killpg(group, signal.SIGTERM)
        time.sleep(10)
    os.killpg(group, signal.SIGKILL)
