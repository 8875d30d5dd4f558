"""``ivk models``: the server's models."""

from __future__ import annotations

import os
import shlex
import sys
from typing import TYPE_CHECKING, Any

import click

from invokeai_py_client._paths import exists
from invokeai_py_client._text import hide_secrets
from invokeai_py_client.cli.complete import complete_models
from invokeai_py_client.cli.group import IvkGroup
from invokeai_py_client.cli.names import find_models
from invokeai_py_client.cli.options import connect, output_options, url_option, yes_option
from invokeai_py_client.cli.output import confirm, counted, echo, emit, hint, is_watched, say
from invokeai_py_client.cli.partial import try_each
from invokeai_py_client.cli.progress import waiting
from invokeai_py_client.cli.streams import secret_line
from invokeai_py_client.cli.tables import Column, show_facts, show_table
from invokeai_py_client.errors import UnprocessableError, UsageError

if TYPE_CHECKING:
    from invokeai_py_client import InvokeAIClient
    from invokeai_py_client._sync import ModelInstJobHandle
    from invokeai_py_client.models import IvkDnnModel
    from invokeai_py_client.models.install import ModelInstJobInfo

TOKEN_VARIABLE = "INVOKEAI_MODEL_TOKEN"

_base = click.option("--base", metavar="BASE", help="Only models for this base: sd-1, sdxl, flux...")
_type = click.option("--type", "kind", metavar="TYPE", help="Only this type: main, lora, vae, controlnet...")


@click.group(cls=IvkGroup)
def models() -> None:
    """List, install and uninstall models."""


@models.command("ls")
@_base
@_type
@url_option
@output_options
def list_(base: str | None, kind: str | None, url: str | None, as_json: bool) -> None:
    """List installed models."""
    with connect(url) as client:
        try:
            found = client.dnn_model_repo.list_models(base=base, type=kind)
        except UnprocessableError as error:  # the server's response lists the valid values
            raise UsageError(f"Unknown base or type. {error}") from None
    found.sort(key=lambda model: (str(model.type), str(model.base), model.name.casefold()))
    if as_json:
        for model in found:
            emit({"event": "model", **model.to_dict()})
        emit({"event": "result", "ok": True, "models": len(found)})
        return
    columns = [
        Column("model", whole=False),
        Column("base"),
        Column("type"),
        Column("format"),
        Column("size", right=True),
        Column("key", wide=True),
    ]
    if found or not is_watched(sys.stdout):
        show_table(columns, [_row(model) for model in found])
    hint(
        f"{counted(len(found), 'model')}. Use one as an input: ivk run FILE -s model=NAME"
        if found
        else "No models. List InvokeAI's starter models: ivk models starters"
    )


def _row(model: IvkDnnModel) -> list[str]:
    size = model.format_file_size()
    return [
        model.name,
        str(model.base),
        str(model.type),
        str(model.format or ""),
        "" if size == "unknown" else size,
        model.key,
    ]


@models.command("info")
@click.argument("name", shell_complete=complete_models)
@url_option
@output_options
def info(name: str, url: str | None, as_json: bool) -> None:
    """Show a model's record: type, size, path, source and default settings."""
    with connect(url) as client:
        [model] = find_models(client, [name])
    record = model.to_dict()
    if as_json:
        emit({"event": "result", "ok": True, **record})
        return
    row = dict(zip(("model", "base", "type", "format", "size", "key"), _row(model), strict=True))
    show_facts(row | {key: value for key, value in record.items() if key not in ("name", "file_size", *row)})
    if str(model.type) == "main":
        hint(f"Use it: ivk run FILE -s model={shlex.quote(model.name)}")


@models.command("starters")
@_base
@_type
@url_option
@output_options
def starters(base: str | None, kind: str | None, url: str | None, as_json: bool) -> None:
    """List InvokeAI's starter models."""
    with connect(url) as client:
        found = client.dnn_model_repo.list_starter_models(base=base, type=kind)
    if as_json:
        for model in found:
            emit({"event": "starter", **model.to_dict()})
        emit({"event": "result", "ok": True, "starters": len(found)})
        return
    columns = [
        Column("model", whole=False),
        Column("base"),
        Column("type"),
        Column("installed"),
        Column("description", whole=False, wide=True),
    ]
    rows = [
        [model.name, str(model.base), model.type, "yes" if model.is_installed else "", model.description]
        for model in found
    ]
    if not rows:
        say("No matching starter models.")
        return
    show_table(columns, rows)
    hint("Install one by name: ivk models install NAME")


@models.command("scan")
@click.argument("folder", metavar="DIR")
@url_option
@output_options
def scan(folder: str, url: str | None, as_json: bool) -> None:
    """Scan a folder on the server's machine for models."""
    with connect(url) as client, waiting("Scanning", as_json):
        found = client.dnn_model_repo.scan_folder(folder)
    if as_json:
        for one in found:
            emit({"event": "found", **one.to_dict()})
        emit({"event": "result", "ok": True, "found": len(found)})
        return
    rows = [[one.path, "yes" if one.is_installed else ""] for one in found]
    if found or not is_watched(sys.stdout):
        show_table([Column("file", whole=False), Column("installed")], rows)
    hint(
        "Install models without moving them: ivk models install FILES..."
        if found
        else f"No models in {folder}."
    )


@models.command("install")
@click.argument("sources", metavar="SOURCES...", nargs=-1, required=True)
@click.option("--move", is_flag=True, help="Move files into the server's own folder.")
@click.option(
    "--token",
    metavar="TOKEN",
    help=f"Access token for sources that require one. Defaults to ${TOKEN_VARIABLE}. Other users of this machine can "
    "see it in the list of processes: prefer the variable or --token-stdin.",
)
@click.option("--token-stdin", is_flag=True, help="Read the access token from standard input.")
@click.option("--background", is_flag=True, help="Do not wait for the installation.")
@url_option
@output_options
def install(
    sources: tuple[str, ...],
    move: bool,
    token: str | None,
    token_stdin: bool,
    background: bool,
    url: str | None,
    as_json: bool,
) -> None:
    """Install models and wait until they are ready. Prints their keys.

    SOURCES are files or folders on the server's machine, URLs, Hugging Face repositories (owner/name), or names of
    starter models (`ivk models starters`). Files are used where they are unless --move is given. Press Ctrl-C to
    cancel unfinished installations.

    \b
      ivk models install ~/loras/watercolor.safetensors owner/name
      pass show huggingface | ivk models install owner/private --token-stdin
    """
    if token is not None and token_stdin:
        raise UsageError("--token and --token-stdin cannot be used together.")
    token = secret_line("token") if token_stdin else token or os.environ.get(TOKEN_VARIABLE) or None
    with connect(url) as client:
        jobs = _start(client, sources, move, token)
        if not background:
            _follow(client, jobs, as_json)
        for job in jobs:
            _report(job.info, as_json)
        for job in [] if background else jobs:
            job.raise_if_failed()
        if as_json:
            emit({"event": "result", "ok": True, "models": len(jobs)})
    hint("List installed models: ivk models ls", as_json)


def _start(
    client: InvokeAIClient, sources: tuple[str, ...], move: bool, token: str | None
) -> list[ModelInstJobHandle]:
    repo = client.dnn_model_repo
    plain: list[str] = []
    starting: list[str] = []
    for source in sources:
        if exists(source) or source.startswith("~") or "/" in source or "\\" in source:
            plain.append(source)
        else:
            starting.append(source)
    if starting:
        from invokeai_py_client.dnn_model.starters import starter

        proposed = repo.list_starter_models()
        for name in starting:  # check all names before the first installation starts
            starter(proposed, name)
    jobs = repo.install_models(plain, inplace=not move, access_token=token) if plain else []
    return jobs + [job for name in starting for job in repo.install_starter_model(name, access_token=token)]


def _follow(client: InvokeAIClient, jobs: list[ModelInstJobHandle], as_json: bool) -> None:
    from invokeai_py_client.cli.install import install_display

    try:
        with install_display(as_json) as show:
            for job in jobs:
                show(job.info)
            client.dnn_model_repo.wait_all(jobs, check=False, on_progress=show)
    except KeyboardInterrupt:
        for job in jobs:
            if job.job_id is not None and not job.info.is_complete():
                job.cancel()
        say("Canceled the unfinished installations.")
        raise


def _report(info: ModelInstJobInfo, as_json: bool) -> None:
    if as_json:
        line: dict[str, Any] = {"event": "install", "source": info.source, "status": str(info.status)}
        emit({**line, "key": info.model_key, "error": info.error, "job_id": info.job_id, **info.extra})
    elif info.is_successful():
        echo(info.model_key)
        name = (info.config_out or {}).get("name") or hide_secrets(info.source)
        installed = info.extra.get("reason") != "already_installed"
        say(f"Installed {name}." if installed else f"{name} is already installed.")
    elif info.is_complete():
        say(hide_secrets(f"{info.source}: {info.error or info.status}"))
    else:
        say(f"Installing {hide_secrets(info.source)} in the background.")


@models.command("rm")
@click.argument("names", metavar="NAMES...", nargs=-1, required=True, shell_complete=complete_models)
@yes_option
@url_option
@output_options
def rm(names: tuple[str, ...], yes: bool, url: str | None, as_json: bool) -> None:
    """Uninstall models by name or key.

    Files in the server's own folder are deleted. Files that were installed in place are kept.
    """
    with connect(url) as client:
        found = {model.key: model for model in find_models(client, names)}
        inside = [model.name for model in found.values() if not _is_outside(model)]
        files = (
            f" This deletes the files of {', '.join(map(repr, inside))}."
            if inside
            else " Their files are kept."
        )
        confirm(f"Uninstall {', '.join(repr(model.name) for model in found.values())}?{files}", yes)
        gone, error = try_each(
            found,
            client.dnn_model_repo.delete_model,
            what="uninstalled",
            kind="model",
            label=lambda one: one.name,
        )
    if as_json:
        emit({"event": "result", "ok": error is None, "models": len(gone), "keys": list(gone)})
    else:
        say(f"Uninstalled {counted(len(gone), 'model')}.")
    if error is not None:
        raise error


def _is_outside(model: IvkDnnModel) -> bool:
    """Whether the files of a model are outside the server's own folder, so that uninstalling keeps them."""
    path = model.path or ""
    return path.startswith("/") or (len(path) > 1 and path[1] == ":")
