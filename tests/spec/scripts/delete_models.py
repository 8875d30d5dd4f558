"""Delete the models with a name: ``delete_models.py URL NAME``."""

import sys

from invokeai_py_client import InvokeAIClient
from invokeai_py_client.dnn_model import ModelManagerError

client = InvokeAIClient.from_url(sys.argv[1])
repo = client.dnn_model_repo
before = repo.list_models()
chosen = [model for model in before if model.name == sys.argv[2]]
print("found", len(chosen))
for model in chosen:
    try:
        print("deleted", repo.delete_model(model.key))
    except ModelManagerError as error:
        print("kept", error)
    print("again", repo.delete_model(model.key), repo.get_model_by_key(model.key))
print("fewer", len(before) - len(repo.list_models()))
print("cache emptied", repo.empty_model_cache())
client.close()
