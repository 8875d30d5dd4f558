"""Image to image with FLUX: ``flux_image_to_image.py URL WORKFLOW PICTURE MODEL...``, with models by index."""

import asyncio
import sys
from typing import Any

from invokeai_py_client import InvokeAIClient
from invokeai_py_client.ivk_fields import IvkFloatField, IvkImageField, IvkStringField
from invokeai_py_client.ivk_fields.models import IvkModelIdentifierField
from invokeai_py_client.workflow import WorkflowDefinition

url, path, picture, *model_names = sys.argv[1:]
IMAGE, MODELS, POSITIVE, NEGATIVE, STEPS, START, BOARD = 0, (1, 2, 3, 4), 5, 6, 7, 8, 9

client = InvokeAIClient.from_url(url)
wf = client.workflow_repo.create_workflow(WorkflowDefinition.from_file(path))
uploaded = client.board_repo.get_uncategorized_handle().upload_image(picture)
image = wf.get_input_value(IMAGE)
assert isinstance(image, IvkImageField)
image.value = uploaded.image_name
for index, name in zip(MODELS, model_names, strict=True):
    field = wf.get_input_value(index)
    assert isinstance(field, IvkModelIdentifierField)
    field.name = name
wf.sync_dnn_model(by_name=True, by_base=False)
print("models", [wf.get_input_value(index).name for index in MODELS])
prompt, start = wf.get_input_value(POSITIVE), wf.get_input_value(START)
assert isinstance(prompt, IvkStringField) and isinstance(start, IvkFloatField)
prompt.value, start.value = "a harbour", 0.5
wf.get_input_value(STEPS).value = 2
wf.get_input_value(BOARD).value = "none"


async def run() -> dict[str, Any]:
    done: list[str] = []

    def complete(event: dict[str, Any]) -> None:
        done.append(str(event.get("invocation_source_id")))

    submission = await wf.submit(subscribe_events=True, on_invocation_complete=complete)
    item = await wf.wait_for_completion(timeout=120)
    print("status", item.get("status"), item["item_id"] == submission["item_ids"][0])
    print("last node", done[-1])
    return item


item = asyncio.run(run())
for mapping in wf.map_outputs_to_images(item):
    print("output", mapping["input_index"], mapping["board_id"], len(mapping["image_names"]))
    found = client.board_repo.get_image_by_name(mapping["image_names"][0])
    print("size", (found.width, found.height) if found else None)
client.close()
