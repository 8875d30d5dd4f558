"""Shell completion of names on the server: workflows, inputs, models, boards and presets, and of pools.

Completion waits for two seconds at most. It proposes nothing if the server does not respond.
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from invokeai_py_client import InvokeAIClient

TIMEOUT = 2.0
"""Seconds to wait for the server."""

Names = Callable[["InvokeAIClient"], Iterable[str]]
Complete = Callable[[click.Context, click.Parameter, str], "list[CompletionItem]"]


def complete_workflows(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Propose files, and the names of workflows in the library if no file matches."""
    from click.shell_completion import CompletionItem

    del parameter
    files = [CompletionItem(incomplete, type="file")]
    if incomplete and any(Path().glob(f"{glob.escape(incomplete)}*")):
        return files

    def names(client: InvokeAIClient) -> Iterable[str]:
        return (str(record["name"]) for record in client.workflow_repo.list_workflows())

    return _matching(context, incomplete, names) or files


def complete_model_settings(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Propose the default settings that the model on the command line can have."""
    del parameter
    # click stops parsing at the option whose value is being completed, and leaves the arguments before it unparsed.
    name = context.params.get("name") or next(iter(context.args), None)

    def settings(client: InvokeAIClient) -> Iterable[str]:
        from invokeai_py_client.dnn_model.settings import SETTINGS

        model = client.dnn_model_repo.find_model(str(name))
        return (f"{setting}=" for setting in SETTINGS.get(str(model and model.type), {}))

    return _matching(context, incomplete, settings) if name else []


def _boards(client: InvokeAIClient) -> Iterable[str]:
    return (one.board_name for one in client.board_repo.list_boards())


def _presets(client: InvokeAIClient) -> Iterable[str]:
    return (one.name for one in client.presets.list_presets())


def _system_prompts(client: InvokeAIClient) -> Iterable[str]:
    return (one.name for one in client.prompts.list_system_prompts())


def _proposing(names: Names) -> Complete:
    """Return a function that proposes names from the server."""

    def complete(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
        del parameter
        return _matching(context, incomplete, names)

    return complete


def _configured(names: Callable[[], Iterable[str]]) -> Complete:
    """Return a function that proposes names from the configuration file. Sends no request."""

    def complete(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
        from invokeai_py_client.errors import InvokeAIClientError

        del context, parameter
        try:
            return _items(incomplete, names())
        except InvokeAIClientError:
            return []

    return complete


def _pools() -> Iterable[str]:
    from invokeai_py_client.pool_settings import pool_names

    return pool_names()


def _profiles() -> Iterable[str]:
    from invokeai_py_client.config import read_profiles

    return sorted(read_profiles())


complete_models = _proposing(lambda client: (one.name for one in client.dnn_model_repo.list_models()))
complete_boards = _proposing(_boards)
complete_presets = _proposing(_presets)
complete_system_prompts = _proposing(_system_prompts)
complete_users = _proposing(lambda client: (one.email for one in client.users.list_users()))
complete_providers = _proposing(lambda client: (one.provider_id for one in client.server.providers()))
complete_packs = _proposing(lambda client: (one.name for one in client.nodes.list_packs()))
complete_pools = _configured(_pools)
complete_servers = _configured(_profiles)


def complete_node_packs(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Propose the packs or categories that node types have, as the name of the option says."""
    attribute = "node_pack" if parameter.name == "pack" else "category"
    return _matching(
        context,
        incomplete,
        lambda client: sorted({str(getattr(one, attribute)) for one in client.schema().values()}),
    )


def complete_config(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Propose the settings of a server that can be changed, and the values of those with a few. Sends no request."""
    from click.shell_completion import CompletionItem

    from invokeai_py_client.administration.values import SETTINGS, SUBFOLDER_STRATEGIES

    del context, parameter
    values = {
        "image_subfolder_strategy": SUBFOLDER_STRATEGIES,
        "max_queue_history": ("all",),
        "generation_devices": ("auto",),
    }
    texts = [f"{name}=" for name in SETTINGS]
    if "=" in incomplete:
        texts = [f"{name}={value}" for name in SETTINGS for value in values[name]]
    return [CompletionItem(text) for text in texts if text.startswith(incomplete)]


def complete_settings(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Propose the inputs of the workflow on the command line, and the values of choices, models, boards and presets."""
    del parameter
    # click stops parsing at -s, whose value is being completed, and leaves the arguments before it unparsed.
    workflow = context.params.get("workflow") or next(iter(context.args), None)
    is_recipe = any(one.name == "prompt" for one in context.command.params)
    name, equals, _ = incomplete.partition("=")

    def proposals(client: InvokeAIClient) -> Iterable[str]:
        repo = client.workflow_repo
        handle = (
            repo.image_workflow(context.params.get("model"))
            if is_recipe
            else repo.create_workflow(str(workflow))
        )
        if not equals:
            return (
                f"{_address(item.label, item.field_name)}=" for item in handle.inputs if not item.connected
            )
        field: Any = handle.inputs.find(int(name) if name.isdecimal() and len(name) < 10 else name).field
        return (f"{name}={value}" for value in _values(client, field))

    return _matching(context, incomplete, proposals) if workflow or is_recipe else []


def _values(client: InvokeAIClient, field: Any) -> Iterable[str]:
    """Return the values that a field can have, if they can be listed."""
    choices: Any = getattr(field, "choices", None)
    if choices:
        return map(str, choices)
    if "Model" in field.type_text:
        return (
            model.name
            for model in client.dnn_model_repo.list_models()
            if field.accepts_model(model.to_dict())
        )
    if "Board" in field.type_text:
        return _boards(client)
    if "StylePreset" in field.type_text:
        return _presets(client)
    if "SystemPrompt" in field.type_text:
        return _system_prompts(client)
    return ()


def _address(label: str, field_name: str) -> str:
    """Return the name of an input to propose: its label without spaces, so that it needs no quotes."""
    return "_".join(label.split()).casefold() or field_name


def _matching(context: click.Context, incomplete: str, names: Names) -> list[CompletionItem]:
    from invokeai_py_client import InvokeAIClient
    from invokeai_py_client.errors import InvokeAIClientError

    try:
        url = context.params.get("url") or context.meta.get("ivk.url")
        with InvokeAIClient.from_url(url, timeout=TIMEOUT, max_retries=0) as client:
            found = list(dict.fromkeys(names(client)))
    except InvokeAIClientError:
        return []
    return _items(incomplete, found)


def _items(incomplete: str, found: Iterable[str]) -> list[CompletionItem]:
    """Return the names that begin with a text."""
    from click.shell_completion import CompletionItem

    from invokeai_py_client._text import printable

    # Shells print and insert names as they are, and read a line for each.
    safe = [name for name in found if printable(name) == name and len(name.splitlines()) <= 1]
    matching = [name for name in safe if name.casefold().startswith(incomplete.casefold())]
    return [CompletionItem(_quoted(name)) for name in matching]


def _quoted(name: str) -> str:
    """Escape characters that are special in bash, which inserts a name as it is. Other shells quote names themselves.

    click's script for bash removes one level of backslashes.
    """
    if not os.environ.get("_IVK_COMPLETE", "").startswith("bash"):
        return name
    return re.sub(r"([^\w@%+=:,./-])", r"\\\\\1", name)
