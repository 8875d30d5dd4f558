"""The same runs by invokeai-py-client 1.1.1, in an environment of its own; called by ``sweeps.py --other``.

    python other_client.py URL WORKFLOW FIRST COUNT

One run after the other, as that client's documents show it. Prints seconds as JSON.
"""

import json
import sys
import time

from invokeai_py_client import InvokeAIClient
from invokeai_py_client.workflow import WorkflowDefinition

url, path, first, count = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
client = InvokeAIClient.from_url(url)
wf = client.workflow_repo.create_workflow(WorkflowDefinition.from_file(path))
start = time.perf_counter()
for value in range(first, first + count):
    wf.get_input_value(0).value = value
    wf.submit_sync()
    wf.wait_for_completion_sync(timeout=60)
print(json.dumps({"seconds": time.perf_counter() - start}))
