"""Start InvokeAI's own web server, at the port it was told or not at all, and end it with its starter."""

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
    """Run; ``sys.argv[1]`` is JSON: root, settings, ready, leashed, temporary."""
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
    """Hand the settings over as environment variables, which InvokeAI puts before its invokeai.yaml."""
    from invokeai.app.services.config.config_default import InvokeAIAppConfig

    unknown = sorted(set(settings) - set(InvokeAIAppConfig.model_fields))
    if unknown:
        sys.stderr.write(f"This InvokeAI has no setting named {', '.join(unknown)}.\n")
        sys.exit(EXIT_SETTINGS)
    for name, value in settings.items():
        os.environ[f"INVOKEAI_{name.upper()}"] = value if isinstance(value, str) else json.dumps(value)


def _watch_port(port: int, ready: Path) -> None:
    """Refuse another port, and say when the server listens.

    InvokeAI takes the next free port where the one it is told is taken (run_app, all versions), so an answer
    at the port would come from somebody else.
    """
    import uvicorn

    class Server(uvicorn.Server):
        def __init__(self, config: uvicorn.Config) -> None:
            if config.port != port:
                sys.stderr.write(f"Port {port} is already in use.\n")
                sys.stderr.flush()
                os._exit(EXIT_PORT)  # InvokeAI's worker threads run already and would keep the process
            super().__init__(config)

        async def startup(self, *args: Any, **kwargs: Any) -> None:
            await super().startup(*args, **kwargs)
            if self.started:
                draft = ready.with_suffix(".tmp")
                draft.write_text(json.dumps({"pid": os.getpid(), "port": port}))
                draft.replace(ready)

    uvicorn.Server = Server


def _end_with_starter(order: dict[str, Any]) -> None:
    """Wait for the end of standard input: a pipe that closes when the starter dies, even by SIGKILL."""
    while os.read(0, 1024):  # not sys.stdin: its lock, held by a daemon thread, breaks Python's own shutdown
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
