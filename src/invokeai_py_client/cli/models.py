"""``ivk models``: the server's models."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from invokeai_py_client._paths import exists
from invokeai_py_client._text import hide_secrets
from invokeai_py_client.cli.complete import complete_model_settings, complete_models
from invokeai_py_client.cli.group import IvkGroup
from invokeai_py_client.cli.names import find_models
from invokeai_py_client.cli.options import UserPath, connect, output_options, url_option, yes_option
from invokeai_py_client.cli.output import FAILED, confirm, counted, echo, emit, hint, is_watched, say
from invokeai_py_client.cli.progress import waiting
from invokeai_py_client.cli.streams import secret_line
from invokeai_py_client.cli.tables import Column, show_facts, show_table
from invokeai_py_client.dnn_model.changes import CLEARABLE
from invokeai_py_client.dnn_model.order import ORDERS, ModelOrder
from invokeai_py_client.dnn_model.settings import parse_setting
from invokeai_py_client.errors import (
    PermissionDeniedError,
    TransferError,
    UnknownNameError,
    UnprocessableError,
    UsageError,
)
from invokeai_py_client.models.enums import InstallStatus

if TYPE_CHECKING:
    from invokeai_py_client import InvokeAIClient
    from invokeai_py_client._sync import ModelInstJobHandle
    from invokeai_py_client.models import IvkDnnModel, OrphanedModel, StarterBundle
    from invokeai_py_client.models.install import ModelInstJobInfo

TOKEN_VARIABLE = "INVOKEAI_MODEL_TOKEN"

_base = click.option("--base", metavar="BASE", help="Only models for this base: sd-1, sdxl, flux...")
_name = click.argument("name", shell_complete=complete_models)
_type = click.option("--type", "kind", metavar="TYPE", help="Only this type: main, lora, vae, controlnet...")


@click.group(cls=IvkGroup)
def models() -> None:
    """List, install, change and uninstall models."""


@models.command("ls")
@click.option(
    "--base",
    "bases",
    metavar="BASE",
    multiple=True,
    help="Only models for this base: sd-1, sdxl, flux... Repeat it for several bases.",
)
@_type
@click.option(
    "--sort",
    "order",
    type=click.Choice(ORDERS),
    default="default",
    help="Sort by this value. Defaults to the type, the base and the name.",
)
@click.option("--desc", is_flag=True, help="Sort in descending order.")
@url_option
@output_options
def list_(
    bases: tuple[str, ...], kind: str | None, order: ModelOrder, desc: bool, url: str | None, as_json: bool
) -> None:
    """List installed models."""
    with connect(url) as client:
        try:
            found = client.models.list_models(
                base=bases or None, type=kind, order_by=order, direction="DESC" if desc else "ASC"
            )
        except UnprocessableError as error:  # the server's response lists the valid values
            raise UsageError(f"Unknown base or type. {error}") from None
    _show(found, as_json, "No models. List InvokeAI's starter models: ivk models starters")


def _show(found: list[IvkDnnModel], as_json: bool, none: str) -> None:
    """Print a list of models.

    Args:
        found: The models.
        as_json: Whether to print JSON.
        none: The hint if the list is empty.
    """
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
        f"{counted(len(found), 'model')}. Use one as an input: ivk run FILE -s model=NAME" if found else none
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
@_name
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
    # Empty lists and mappings are values that were never set.
    more = {key: value for key, value in record.items() if value not in ([], {})}
    show_facts(row | {key: value for key, value in more.items() if key not in ("name", "file_size", *row)})
    if str(model.type) == "main":
        hint(f"Use it: ivk run FILE -s model={shlex.quote(model.name)}")


_CLEAR = sorted([*(name.replace("_", "-") for name in CLEARABLE), "picture"])


@models.command("edit")
@_name
@click.option("--name", "new_name", metavar="NAME", help="The new name.")
@click.option("--description", metavar="TEXT", help="The description.")
@click.option(
    "--trigger",
    "triggers",
    metavar="PHRASE",
    multiple=True,
    help="A trigger phrase. Repeat it for several; they replace the previous ones.",
)
@click.option(
    "--default",
    "defaults",
    metavar="NAME=VALUE",
    multiple=True,
    shell_complete=complete_model_settings,
    help="A default setting, such as steps=30, vae=NAME, or weight=0.7 for a LoRA. NAME= removes it.",
)
@click.option(
    "--cpu-only/--no-cpu-only",
    default=None,
    help="Whether an encoder or a VAE always runs on the CPU. For a main model, its text encoders.",
)
@click.option("--source-url", metavar="URL", help="The web page of the model.")
@click.option(
    "--path", metavar="PATH", help="The path of its files on the server's machine, if they were moved."
)
@click.option("--picture", type=UserPath(dir_okay=False), help="A picture to show in the web UI.")
@click.option(
    "--clear",
    "cleared",
    type=click.Choice(_CLEAR),
    metavar="WHAT",
    multiple=True,
    help=f"Remove a value: {', '.join(_CLEAR)}. Repeat it for several.",
)
@url_option
@output_options
def edit(
    name: str,
    new_name: str | None,
    description: str | None,
    triggers: tuple[str, ...],
    defaults: tuple[str, ...],
    cpu_only: bool | None,
    source_url: str | None,
    path: str | None,
    picture: Path | None,
    cleared: tuple[str, ...],
    url: str | None,
    as_json: bool,
) -> None:
    """Change a model's record. Values that you do not name are kept.

    \b
      ivk models edit Dreamshaper --description "For portraits" --default steps=25
      ivk models edit watercolor --trigger "wet paper" --clear description
    """
    clear = [one.replace("-", "_") for one in cleared if one != "picture"]
    changes: dict[str, Any] = {
        "name": new_name,
        "description": description,
        "trigger_phrases": triggers or None,
        "default_settings": dict(map(parse_setting, defaults)) or None,
        "cpu_only": cpu_only,
        "source_url": source_url,
        "path": path,
    }
    if picture is not None and "picture" in cleared:
        raise UsageError("--picture and --clear picture cannot be used together.")
    given = {key: value for key, value in changes.items() if value is not None}
    if not (given or cleared or picture):
        raise UsageError("Nothing to change: pass at least one option, such as --name or --default steps=30.")
    with connect(url) as client:
        [model] = find_models(client, [name])
        if given or clear:
            model = client.models.update_model(model, **given, clear=clear)
        if picture is not None:
            client.models.set_picture(model, picture)
        if "picture" in cleared:
            client.models.delete_picture(model)
        if picture is not None or "picture" in cleared:
            model = client.models.get_model(model)
    if as_json:
        emit({"event": "result", "ok": True, **model.to_dict()})
    else:
        say(f"Changed {model.name}.")
    hint(f"Show it: ivk models info {shlex.quote(model.name)}", as_json)


@models.command("related")
@_name
@click.option(
    "--add",
    "added",
    metavar="MODEL",
    multiple=True,
    shell_complete=complete_models,
    help="Relate it to this model.",
)
@click.option(
    "--remove",
    "removed",
    metavar="MODEL",
    multiple=True,
    shell_complete=complete_models,
    help="End its relationship with this model.",
)
@url_option
@output_options
def related(
    name: str, added: tuple[str, ...], removed: tuple[str, ...], url: str | None, as_json: bool
) -> None:
    """List the models that are related to a model, such as its LoRAs."""
    with connect(url) as client:
        model, *others = find_models(client, [name, *added, *removed])
        for one in others[: len(added)]:
            client.models.relate(model, one)
        for one in others[len(added) :]:
            client.models.unrelate(model, one)
        found = client.models.related_to(model)
    _show(
        found,
        as_json,
        f"No related models. Add one: ivk models related {shlex.quote(model.name)} --add MODEL",
    )


@models.command("reidentify")
@click.argument("names", metavar="NAMES...", nargs=-1, required=True, shell_complete=complete_models)
@url_option
@output_options
def reidentify(names: tuple[str, ...], url: str | None, as_json: bool) -> None:
    """Detect the properties of models again from their files.

    Names, descriptions, trigger phrases and pictures are kept. Default settings are detected again.
    """
    with connect(url) as client, waiting("Reading files", as_json):
        found = client.models.reidentify(find_models(client, names))
    _show(found, as_json, "")


@models.command("check")
@click.option("--delete-orphaned", is_flag=True, help="Permanently delete the folders that no model uses.")
@yes_option
@url_option
@output_options
def check(delete_orphaned: bool, yes: bool, url: str | None, as_json: bool) -> None:
    """Find models without files, and files without a model.

    Exits with 1 if files of models are missing. Only administrators see the files without a model.
    """
    with connect(url) as client:
        with waiting("Checking files", as_json):
            missing = client.models.list_missing()
            orphaned = _orphaned(client)
        deleted: list[str] = []
        if delete_orphaned and orphaned:
            names = ", ".join(repr(one.path) for one in orphaned)
            confirm(f"Permanently delete {names} from the server's models folder?", yes)
            deleted = client.models.delete_orphaned(orphaned)
            say(f"Deleted {counted(len(deleted), 'folder')}.")
    left = [one for one in orphaned or [] if one.path not in deleted]
    if as_json:
        for model in missing:
            emit({"event": "missing", **model.to_dict()})
        for one in left:
            emit({"event": "orphaned", **one.to_dict()})
        emit(
            {
                "event": "result",
                "ok": not missing,
                "missing": len(missing),
                "orphaned": len(left),
                "deleted": deleted,
            }
        )
    else:
        rows = [["missing", model.name, "", model.path or ""] for model in missing]
        rows += [["orphaned", one.path, one.format_size(), one.absolute_path] for one in left]
        if rows:
            columns = [
                Column("state"),
                Column("name", key=True),
                Column("size", right=True),
                Column("path", wide=True),
            ]
            show_table(columns, rows)
        _advise(missing, left, orphaned is None)
    if missing:
        raise click.exceptions.Exit(FAILED)


def _orphaned(client: InvokeAIClient) -> list[OrphanedModel] | None:
    """Return the files that no model uses, or None if only administrators may know."""
    try:
        return client.models.list_orphaned()
    except PermissionDeniedError:
        return None


def _advise(missing: list[IvkDnnModel], orphaned: list[OrphanedModel], denied: bool) -> None:
    if missing:
        say(
            f"{counted(len(missing), 'model')} without files: put the files back, set their new path with ivk models "
            "edit NAME --path PATH, or uninstall the model with ivk models rm NAME."
        )
    if orphaned:
        say(
            "These files belong to no model: install them with ivk models install PATH, or delete the folders with ivk "
            "models check --delete-orphaned."
        )
    if denied:
        say("Only administrators can see files without a model.")
    if not missing and not orphaned:
        say("All models have their files.")


@models.command("starters")
@_base
@_type
@click.option("--bundles", is_flag=True, help="List the bundles instead, each for one base.")
@url_option
@output_options
def starters(base: str | None, kind: str | None, bundles: bool, url: str | None, as_json: bool) -> None:
    """List InvokeAI's starter models."""
    if bundles:
        if base or kind:
            raise UsageError("--bundles cannot be combined with --base or --type.")
        _show_bundles(url, as_json)
        return
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


def _show_bundles(url: str | None, as_json: bool) -> None:
    with connect(url) as client:
        found = client.models.list_starter_bundles()
    if as_json:
        for bundle in found:
            emit({"event": "bundle", **bundle.to_dict()})
        emit({"event": "result", "ok": True, "bundles": len(found)})
        return
    rows = [
        [bundle.id, bundle.name, str(len(bundle.models)), str(sum(one.is_installed for one in bundle.models))]
        for bundle in found
    ]
    show_table(
        [Column("bundle"), Column("name"), Column("models", right=True), Column("installed", right=True)],
        rows,
    )
    hint("Install one: ivk models install --bundle BUNDLE")


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


@models.command("jobs")
@url_option
@output_options
def jobs(url: str | None, as_json: bool) -> None:
    """List the installations since the server started."""
    with connect(url) as client:
        infos = [job.info for job in client.models.list_install_jobs()]
    if as_json:
        for info in infos:
            emit(_job_line(info))
        emit({"event": "result", "ok": True, "jobs": len(infos)})
        return
    columns = [Column("job", right=True), Column("status"), Column("done", right=True)]
    columns += [Column("source", key=True, whole=False), Column("error", whole=False)]
    rows = [
        [
            str(info.job_id),
            str(info.status),
            "" if info.progress is None else f"{info.progress:.0%}",
            hide_secrets(info.source or ""),
            hide_secrets(info.error or ""),
        ]
        for info in infos
    ]
    if rows or not is_watched(sys.stdout):
        show_table(columns, rows)
    if any(info.status is InstallStatus.ERROR for info in infos):
        hint("Restart a failed download: ivk models install --restart JOB")
    elif not rows:
        hint("No installations since the server started.")


@models.command("install")
@click.argument("sources", metavar="SOURCES...", nargs=-1)
@click.option(
    "--bundle", "bundles", metavar="BUNDLE", multiple=True, help="Install a bundle of starter models."
)
@click.option(
    "--restart",
    "restarted",
    metavar="JOB",
    type=int,
    multiple=True,
    help="Restart the failed downloads of a job instead (`ivk models jobs`).",
)
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
    bundles: tuple[str, ...],
    restarted: tuple[int, ...],
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
      ivk models install --bundle sdxl
      pass show huggingface | ivk models install owner/private --token-stdin
    """
    if token is not None and token_stdin:
        raise UsageError("--token and --token-stdin cannot be used together.")
    if not (sources or bundles or restarted):
        raise UsageError("Nothing to install: expected SOURCES, --bundle BUNDLE or --restart JOB.")
    token = secret_line("token") if token_stdin else token or os.environ.get(TOKEN_VARIABLE) or None
    with connect(url) as client:
        jobs = [_restart(client, number) for number in restarted]
        jobs += _start(client, sources, bundles, move, token)
        if not background:
            _follow(client, jobs, as_json)
        for job in jobs:
            _report(job.info, as_json)
        for job in [] if background else jobs:
            job.raise_if_failed()
        if as_json:
            emit({"event": "result", "ok": True, "models": len(jobs)})
    hint("List installed models: ivk models ls", as_json)


def _restart(client: InvokeAIClient, number: int) -> ModelInstJobHandle:
    job = client.models.get_install_job(number)
    if job is None:
        raise UnknownNameError(f"No installation {number}. List them: ivk models jobs", str(number))
    job.restart_failed()
    return job


def _start(
    client: InvokeAIClient, sources: tuple[str, ...], bundles: tuple[str, ...], move: bool, token: str | None
) -> list[ModelInstJobHandle]:
    repo = client.models
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
    chosen = _bundles(client, bundles)
    jobs = repo.install_models(plain, inplace=not move, access_token=token) if plain else []
    jobs += [job for one in chosen for job in repo.install_starter_bundle(one, access_token=token)]
    return jobs + [job for name in starting for job in repo.install_starter_model(name, access_token=token)]


def _bundles(client: InvokeAIClient, names: tuple[str, ...]) -> list[StarterBundle]:
    if not names:
        return []
    from invokeai_py_client.dnn_model.starters import bundle

    known = client.models.list_starter_bundles()
    return [bundle(known, name) for name in names]


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


def _job_line(info: ModelInstJobInfo) -> dict[str, Any]:
    line: dict[str, Any] = {"event": "install", "source": info.source, "status": str(info.status)}
    return {**line, "key": info.model_key, "error": info.error, "job_id": info.job_id, **info.extra}


def _report(info: ModelInstJobInfo, as_json: bool) -> None:
    if as_json:
        emit(_job_line(info))
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
        error: TransferError | None = None
        try:
            gone = client.models.delete_models(list(found.values()))
        except TransferError as failure:
            gone, error = list(failure.done), failure
    if as_json:
        emit({"event": "result", "ok": error is None, "models": len(gone), "keys": gone})
    else:
        say(f"Uninstalled {counted(len(gone), 'model')}.")
    if error is not None:
        raise error


def _is_outside(model: IvkDnnModel) -> bool:
    """Whether the files of a model are outside the server's own folder, so that uninstalling keeps them."""
    path = model.path or ""
    return path.startswith("/") or (len(path) > 1 and path[1] == ":")
