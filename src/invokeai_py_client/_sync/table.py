"""Where the synchronous face of each asynchronous class is."""

# Written by tools/generate_sync.py from the Async classes:
# change that, and run it again.
# pyright: reportPrivateUsage=false, reportIncompatibleVariableOverride=false

FACES = {
    "AsyncBoardHandle": "invokeai_py_client._sync.board_handle",
    "AsyncBoardRepository": "invokeai_py_client._sync.board_repository",
    "AsyncBoundWorkflow": "invokeai_py_client._sync.workflow_bound",
    "AsyncDnnModelRepository": "invokeai_py_client._sync.dnn_model_repository",
    "AsyncImage": "invokeai_py_client._sync.image_image",
    "AsyncImageRepository": "invokeai_py_client._sync.image_repository",
    "AsyncInvokeAIClient": "invokeai_py_client._sync.client",
    "AsyncJobHandle": "invokeai_py_client._sync.queue_job",
    "AsyncManyRuns": "invokeai_py_client._sync.sweep_many_runs",
    "AsyncModelInstJobHandle": "invokeai_py_client._sync.dnn_model_install",
    "AsyncQueueHandle": "invokeai_py_client._sync.queue_handle",
    "AsyncQueueRepository": "invokeai_py_client._sync.queue_repository",
    "AsyncQuickClient": "invokeai_py_client._sync.quick_client",
    "AsyncRun": "invokeai_py_client._sync.run_run",
    "AsyncRunnableWorkflow": "invokeai_py_client._sync.workflow_runnable",
    "AsyncSweep": "invokeai_py_client._sync.sweep_sweep",
    "AsyncSweepableWorkflow": "invokeai_py_client._sync.workflow_sweepable",
    "AsyncWorkflowHandle": "invokeai_py_client._sync.workflow_handle",
    "AsyncWorkflowRepository": "invokeai_py_client._sync.workflow_repository",
}
