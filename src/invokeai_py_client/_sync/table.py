"""Where the synchronous face of each asynchronous class is."""

# Written by tools/generate_sync.py from the Async classes:
# change that, and run it again.
# pyright: reportPrivateUsage=false, reportIncompatibleVariableOverride=false

FACES = {
    "AsyncBoardHandle": "invokeai_py_client._sync.board_handle",
    "AsyncBoardRepository": "invokeai_py_client._sync.board_repository",
    "AsyncDnnModelRepository": "invokeai_py_client._sync.dnn_model_repository",
    "AsyncImage": "invokeai_py_client._sync.image_image",
    "AsyncImageChanges": "invokeai_py_client._sync.image_changes",
    "AsyncImageRecords": "invokeai_py_client._sync.image_records",
    "AsyncImageRepository": "invokeai_py_client._sync.image_repository",
    "AsyncImageTransfer": "invokeai_py_client._sync.image_transfer",
    "AsyncInvokeAIClient": "invokeai_py_client._sync.client",
    "AsyncJobHandle": "invokeai_py_client._sync.queue_job",
    "AsyncModelInstJobHandle": "invokeai_py_client._sync.dnn_model_install",
    "AsyncQueueHandle": "invokeai_py_client._sync.queue_handle",
    "AsyncQueueRepository": "invokeai_py_client._sync.queue_repository",
    "AsyncQuickClient": "invokeai_py_client._sync.quick_client",
    "AsyncRun": "invokeai_py_client._sync.run_run",
    "AsyncSweep": "invokeai_py_client._sync.sweep_sweep",
    "AsyncWorkflowHandle": "invokeai_py_client._sync.workflow_handle",
    "AsyncWorkflowRepository": "invokeai_py_client._sync.workflow_repository",
}
