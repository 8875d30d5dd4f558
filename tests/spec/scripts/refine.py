"""Generate an image with SDXL and refine it with FLUX: ``refine.py URL WORKFLOW BOARD NAME=MODEL...``."""

import asyncio
import sys

from invokeai_py_client import InvokeAIClient, WorkflowDefinition
from invokeai_py_client.board.board_handle import BoardHandle
from invokeai_py_client.ivk_fields import IvkBoardField
from invokeai_py_client.ivk_fields.models import IvkModelIdentifierField

url, path, board_name, *chosen = sys.argv[1:]
models = dict(choice.split("=", 1) for choice in chosen)

client = InvokeAIClient.from_url(url)
wf = client.workflow_repo.create_workflow(WorkflowDefinition.from_file(path))
board = client.board_repo.get_board_handle_by_name(board_name)
assert isinstance(board, BoardHandle)
for item in wf.list_inputs():
    field = wf.get_input_value(item.input_index)
    if isinstance(field, IvkModelIdentifierField):
        field.name = models[f"{item.node_name}.{item.field_name}"]
    elif isinstance(field, IvkBoardField):
        field.value = board.board_id
wf.sync_dnn_model(by_name=True, by_base=False)


async def run() -> list[str]:
    kinds: list[str] = []
    async for event in wf.submit_sync_monitor_async():
        kinds.append(str(event.get("event_type")))
        status = event.get("status")
        if status in ("completed", "failed", "canceled"):
            print("status", status)
    return kinds


kinds = asyncio.run(run())
print("events", len(kinds) > 3)
item = wf.get_queue_item()
assert item is not None
stages = [mapping for mapping in wf.map_outputs_to_images(item) if mapping["input_index"] >= 0]
by_index = {output.input_index: output.node_id for output in wf.list_outputs()}
for stage in stages:
    print("stage", by_index[stage["input_index"]] == stage["node_id"], len(stage["image_names"]))
print("on board", board.get_image_count(), len(board.list_images(limit=10)))
client.close()
