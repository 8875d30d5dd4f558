"""Where the synchronous face of each asynchronous class is."""

# Written by tools/generate_sync.py from the Async classes:
# change that, and run it again.
# pyright: reportPrivateUsage=false

FACES = {
    "AsyncImage": "invokeai_py_client._sync.image_image",
    "AsyncInvokeAIClient": "invokeai_py_client._sync.client",
    "AsyncRun": "invokeai_py_client._sync.run_run",
    "AsyncWorkflowHandle": "invokeai_py_client._sync.workflow_handle",
    "AsyncWorkflowRepository": "invokeai_py_client._sync.workflow_repository",
}
