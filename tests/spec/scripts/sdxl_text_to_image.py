"""Text to image with SDXL: ``sdxl_text_to_image.py URL WORKFLOW MODEL BOARD``."""

import sys

from invokeai_py_client import InvokeAIClient
from invokeai_py_client.ivk_fields import IvkIntegerField, IvkSchedulerField, IvkStringField, SchedulerName
from invokeai_py_client.ivk_fields.models import IvkModelIdentifierField
from invokeai_py_client.workflow import WorkflowDefinition
from invokeai_py_client.workflow.workflow_handle import OutputMapping, WorkflowHandle

url, path, model_name, board_name = sys.argv[1:]
MODEL, POSITIVE, NEGATIVE, WIDTH, HEIGHT, STEPS, CFG_SCALE, SCHEDULER, BOARD = range(9)

client = InvokeAIClient.from_url(url)
wf: WorkflowHandle = client.workflow_repo.create_workflow(WorkflowDefinition.from_file(path))
for item in wf.list_inputs():
    print(
        f"[{item.input_index:02d}] {item.label or item.field_name} of {item.node_name}: {type(item.field).__name__}"
    )

record = next(model for model in client.dnn_model_repo.list_models() if model.name == model_name)
model = wf.get_input_value(MODEL)
assert isinstance(model, IvkModelIdentifierField)
model.key, model.hash, model.name = record.key, record.hash, record.name
model.base, model.type = record.base, record.type
positive, steps = wf.get_input_value(POSITIVE), wf.get_input_value(STEPS)
assert isinstance(positive, IvkStringField) and isinstance(steps, IvkIntegerField)
positive.value = "a harbour at dusk"
steps.value = 2
values = {NEGATIVE: "blurry", WIDTH: 64, HEIGHT: 64, CFG_SCALE: 4.5}
values[SCHEDULER] = IvkSchedulerField.normalize_alias(SchedulerName.DPMPP_3M_K.value)
for index, value in values.items():
    field = wf.get_input_value(index)
    if hasattr(field, "value"):
        field.value = value
board = client.board_repo.get_board_handle_by_name(board_name)
assert board is not None
wf.get_input_value(BOARD).value = board.board_id
wf.sync_dnn_model(by_name=True, by_base=False)
print("complaints", wf.validate_inputs())
print("preview", len(wf.preview()), wf.preview()[POSITIVE]["value"])

submission = wf.submit_sync()
print("submitted", len(submission["item_ids"]), bool(submission["batch_id"]))
item = wf.wait_for_completion_sync(
    poll_interval=0.2, timeout=120, progress_callback=lambda item: print("status", item.get("status"))
)
mappings: list[OutputMapping] = wf.map_outputs_to_images(item)
for mapping in mappings:
    same_board = mapping.get("board_id") == board.board_id
    print("output", mapping["input_index"], mapping["tier"], same_board, len(mapping["image_names"]))
    data = board.download_image(mapping["image_names"][0], full_resolution=True)
    print("png", data.startswith(b"\x89PNG"))
print("outputs", [(output.input_index, output.field_name) for output in wf.list_outputs()])
client.close()
