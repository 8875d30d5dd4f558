"""List the server's models: ``list_models.py URL``."""

import sys

from invokeai_py_client import InvokeAIClient
from invokeai_py_client.dnn_model import BaseDnnModelType, DnnModel, DnnModelFormat, DnnModelType


def line(model: DnnModel) -> str:
    return f"{model.name}: {model.type.value}/{model.base.value}, {model.format.value}, {model.key}"


client = InvokeAIClient.from_url(sys.argv[1])
models = client.dnn_model_repo.list_models()
for model in sorted(models, key=lambda model: model.name):
    print(line(model))
mains = [model for model in models if model.type == DnnModelType.Main]
sdxl = [model for model in mains if model.is_compatible_with_base(BaseDnnModelType.StableDiffusionXL)]
folders = [model for model in models if model.format == DnnModelFormat.Diffusers]
print("main", sorted(model.name for model in mains))
print("sdxl", sorted(model.name for model in sdxl))
print("folders", len(folders))
same = client.dnn_model_repo.get_model_by_key(models[0].key)
print("by key", same is not None and same.name == models[0].name)
print("unknown", client.dnn_model_repo.get_model_by_key("no-such-key"))
client.close()
