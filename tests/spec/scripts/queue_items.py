"""The queue: ``queue_items.py URL WORKFLOW MODEL``. The workflow runs until it is canceled."""

import sys

from invokeai_py_client import InvokeAIClient
from invokeai_py_client.ivk_fields.models import IvkModelIdentifierField
from invokeai_py_client.queue import JobHandle, QueueHandle, QueueRepository
from invokeai_py_client.queue.queue_models import QueueItemStatus
from invokeai_py_client.workflow import WorkflowDefinition

client = InvokeAIClient.from_url(sys.argv[1])
queues: QueueRepository = client.queue_repo
queue: QueueHandle = queues.get_queue("default")
print("queues", queues.list_queues(), queue.queue_id)
wf = client.workflow_repo.create_workflow(WorkflowDefinition.from_file(sys.argv[2]))
field = wf.get_input_value(0)
assert isinstance(field, IvkModelIdentifierField)
field.name = sys.argv[3]
wf.sync_dnn_model(by_name=True, by_base=False)
for index in range(2):
    submission = wf.submit_sync()
    item_id = submission["item_ids"][0]
    if index == 0:
        first = item_id
print("busy", queue.is_busy(), queue.get_status().queue.pending + queue.count_running())
job = queue.get_item(first)
assert isinstance(job, JobHandle)
while job.refresh().status == QueueItemStatus.PENDING:
    pass
print("running", job.is_running(), [item.item_id == first for item in queue.list_running()])
current = queue.get_current()
print("current", current is not None and current.item_id == first)
print("pending", [item.item_id == item_id for item in queue.list_pending()])
print("others canceled", queue.cancel_all_except_current().canceled)
print("canceled", job.cancel(), job.wait_for_completion(timeout=30).status == QueueItemStatus.CANCELED)
job.refresh()
print("so", job.is_complete(), job.is_canceled(), job.is_successful())
print("idle", queue.wait_until_idle(timeout=30, poll_interval=0.2), queue.get_current())
print("pruned", queue.prune().deleted >= 2, queue.get_item(first))
client.close()
