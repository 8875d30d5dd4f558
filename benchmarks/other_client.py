"""The same measurements with invokeai-py-client 1.1.1 in a separate environment; used by ``--other``.

    python other_client.py runs URL WORKFLOW FIRST COUNT
    python other_client.py download URL NAMES

Runs one after the other, as that client's documentation shows. Prints seconds and the number of requests as JSON.
"""

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import requests  # pyright: ignore[reportMissingModuleSource] - installed with that client

from invokeai_py_client import InvokeAIClient
from invokeai_py_client.workflow import WorkflowDefinition

sent = 0
send = requests.Session.send


def counted(self: requests.Session, *arguments: Any, **options: Any) -> requests.Response:
    global sent
    sent += 1
    return send(self, *arguments, **options)


requests.Session.send = counted
what, url, *rest = sys.argv[1:]
client = InvokeAIClient.from_url(url)
if what == "runs":
    path, first, count = rest[0], int(rest[1]), int(rest[2])
    wf = client.workflow_repo.create_workflow(WorkflowDefinition.from_file(path))
    sent, start = 0, time.perf_counter()
    for value in range(first, first + count):
        wf.get_input_value(0).value = value
        wf.submit_sync()
        wf.wait_for_completion_sync(timeout=60)
elif what == "download":
    names = json.loads(Path(rest[0]).read_text())
    board = client.board_repo.get_uncategorized_handle()
    with tempfile.TemporaryDirectory() as folder:
        sent, start = 0, time.perf_counter()
        for name in names:
            (Path(folder) / name).write_bytes(board.download_image(name))
else:
    sys.exit(__doc__)
print(json.dumps({"seconds": time.perf_counter() - start, "requests": sent}))
