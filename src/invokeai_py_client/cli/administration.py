"""``ivk server info`` and others: administration of the server at a URL, local or not."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from invokeai_py_client._text import hide_secrets
from invokeai_py_client.cli.complete import complete_config, complete_providers
from invokeai_py_client.cli.group import IvkCommand, IvkGroup
from invokeai_py_client.cli.options import connect, output_options, url_option, yes_option
from invokeai_py_client.cli.output import confirm, counted, echo, emit, hint, is_watched, say
from invokeai_py_client.cli.progress import waiting
from invokeai_py_client.cli.streams import secret_line
from invokeai_py_client.cli.tables import Column, show_facts, show_table
from invokeai_py_client.errors import PermissionDeniedError, ServerTooOldError, UsageError

if TYPE_CHECKING:
    from invokeai_py_client.models.administration import (
        ImageMoveStatus,
        InvocationCacheStatus,
        IvkDevice,
        IvkProviderSettings,
        IvkServerConfig,
    )

T = TypeVar("T")

KEY_VARIABLE = "INVOKEAI_PROVIDER_KEY"
_LEVELS = ("debug", "info", "warning", "error", "critical")
_CACHE = {"on": "enable_cache", "off": "disable_cache", "clear": "clear_cache"}


def _done(sentence: str, as_json: bool, **facts: Any) -> None:
    if as_json:
        emit({"event": "result", "ok": True, **facts})
    else:
        say(sentence)


def _if_possible(read: Callable[[], T]) -> T | None:
    """Return a fact, or None if this user may not read it, or if the server is too old."""
    try:
        return read()
    except (PermissionDeniedError, ServerTooOldError):
        return None


# --------------------------------------------------------------------------- the server


@click.command(cls=IvkCommand)
@click.option("--dependencies", is_flag=True, help="List the versions of the server's Python packages, too.")
@url_option
@output_options
def info(dependencies: bool, url: str | None, as_json: bool) -> None:
    """Show a server's version, devices, cache, log level and fonts.

    Some of it is shown to administrators only.
    """
    with connect(url) as client:
        server = client.server
        version, address = client.version(), client.url
        devices = _if_possible(server.devices)
        patchmatch = _if_possible(server.has_patchmatch)
        fonts = _if_possible(server.fonts)
        level = _if_possible(server.log_level)
        cache = _if_possible(server.cache_status)
        packages = server.dependencies() if dependencies else {}
    facts: dict[str, Any] = {"version": version, "url": address, "patchmatch": patchmatch}
    facts["log_level"] = None if level is None else str(level)
    if as_json:
        lists = {"devices": devices, "fonts": fonts}
        facts |= {
            name: [one.to_dict() for one in found] for name, found in lists.items() if found is not None
        }
        facts |= {"cache": cache.to_dict()} if cache is not None else {}
        facts |= {"dependencies": packages} if dependencies else {}
        emit(
            {
                "event": "result",
                "ok": True,
                **{key: value for key, value in facts.items() if value is not None},
            }
        )
        return
    show_facts(
        {
            "version": version,
            "url": address,
            "devices": ", ".join(map(_device, devices or ())),
            "log level": level,
            "cache": None if cache is None else _cache(cache),
            "patchmatch": patchmatch,
            "fonts": ", ".join(one.family for one in fonts or ()),
        }
    )
    if dependencies:
        show_table([Column("package"), Column("version", whole=False)], list(packages.items()))


def _device(device: IvkDevice) -> str:
    name = device.device if device.name in ("", device.device) else f"{device.device} ({device.name})"
    return f"{name}, not in use" if device.in_use is False else name


# --------------------------------------------------------------------------- configuration


@click.command(cls=IvkCommand)
@click.argument("changes", metavar="[NAME=VALUE]...", nargs=-1, shell_complete=complete_config)
@click.option("--all", "show_all", is_flag=True, help="List settings that are left at their defaults, too.")
@url_option
@output_options
def config(changes: tuple[str, ...], show_all: bool, url: str | None, as_json: bool) -> None:
    """List a server's settings, or change some. For administrators.

    Without arguments, lists the settings that differ from their defaults. These can be changed while a server runs:

    \b
      image_subfolder_strategy   flat, date, type or hash
      max_queue_history          finished queue items to keep at a start, or all
      generation_devices         auto, or devices such as cuda:0,cuda:1

    \b
      ivk server config max_queue_history=100

    A change of the devices takes effect when the server starts again. Secrets are never shown.
    """
    given = _changes(changes)
    with connect(url) as client:
        found = client.server.update_config(**given) if given else client.server.config()
    if given:
        new = {name: found.to_dict().get(name) for name in given}
        _done(f"Saved {', '.join(given)}.", as_json, **new)
        if "generation_devices" in given:
            hint("Restart the server to use these devices.", as_json)
        if "image_subfolder_strategy" in given:
            hint("Move the files of existing images: ivk server move-images", as_json)
        return
    settings = _settings(found, show_all)
    if as_json:
        emit({"event": "result", "ok": True, "config": settings, "set_fields": found.set_fields})
        return
    show_facts(settings)
    if not show_all:
        hint("List all settings: ivk server config --all")


def _settings(found: IvkServerConfig, show_all: bool) -> dict[str, Any]:
    values = found.to_dict()
    names = sorted(set(values) - {"set_fields"}) if show_all else found.set_fields
    return {name: values[name] for name in names if name in values}


def _changes(texts: tuple[str, ...]) -> dict[str, Any]:
    """Return the settings on a command line.

    Raises:
        UsageError: A text is not a setting with a value.
    """
    from invokeai_py_client.administration.values import SETTINGS

    changes: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or name not in SETTINGS:
            raise UsageError(
                f"Invalid setting {text!r}: expected NAME=VALUE with one of {', '.join(SETTINGS)}. Other settings are "
                "in invokeai.yaml, which the server reads when it starts."
            )
        if name in changes:
            raise UsageError(f"The setting {name} was given twice. Pass it once.")
        if name == "generation_devices" and value != "auto":
            changes[name] = [part.strip() for part in value.split(",")]
        else:
            changes[name] = int(value) if name == "max_queue_history" and value.isdecimal() else value
    return changes


# --------------------------------------------------------------------------- cache, log level, image storage


@click.command(cls=IvkCommand)
@click.argument("action", metavar="[on|off|clear]", type=click.Choice([*_CACHE]), required=False)
@url_option
@output_options
def cache(action: str | None, url: str | None, as_json: bool) -> None:
    """Show the invocation cache, or switch it on or off, or clear it. For administrators.

    The cache keeps results of nodes for later runs. It is shared by all users, and on again after a restart.
    """
    with connect(url) as client:
        if action is not None:
            getattr(client.server, _CACHE[action])()
        status = client.server.cache_status()
    if as_json:
        emit({"event": "result", "ok": True, **status.to_dict()})
    else:
        echo(_cache(status))


def _cache(status: InvocationCacheStatus) -> str:
    state = "on" if status.enabled else "off"
    results = f"{status.size:,} of {counted(status.max_size, 'result')}"
    return f"{state}, {results}, {counted(status.hits, 'hit')}, {status.misses:,} " + (
        "miss" if status.misses == 1 else "misses"
    )


@click.command(cls=IvkCommand, name="log-level")
@click.argument("level", metavar="[LEVEL]", type=click.Choice(_LEVELS), required=False)
@url_option
@output_options
def log_level(level: str | None, url: str | None, as_json: bool) -> None:
    """Show or set the lowest level of the messages in a server's log. For administrators.

    LEVEL is debug, info, warning, error or critical. It is in effect until the server restarts.
    """
    with connect(url) as client:
        found = client.server.log_level() if level is None else client.server.set_log_level(level)
    if as_json:
        emit({"event": "result", "ok": True, "level": str(found)})
    else:
        echo(found)


@click.command(cls=IvkCommand, name="move-images")
@click.option("--recover", is_flag=True, help="Finish or undo a move that was interrupted.")
@click.option("--status", "only_status", is_flag=True, help="Only show how many files are to be moved.")
@yes_option
@url_option
@output_options
def move_images(recover: bool, only_status: bool, yes: bool, url: str | None, as_json: bool) -> None:
    """Move image files to the folders of the setting image_subfolder_strategy. For administrators.

    Until that ends, the server rejects uploads, downloads, runs and other changes of images.
    InvokeAI 6.14.2 cannot delete images whose files were moved.
    """
    with connect(url) as client:
        status = client.server.image_move_status()
        if not only_status:
            if not recover:
                count = counted(status.needs_move_count, "image file")
                confirm(f"Move {count}? InvokeAI 6.14.2 cannot delete images whose files were moved.", yes)
            with waiting("Moving image files", as_json):
                status = client.server.recover_image_move() if recover else client.server.move_images()
    _done(_move(status), as_json, **status.to_dict())


def _move(status: ImageMoveStatus) -> str:
    state = "Files are being moved. " if status.is_running else ""
    return f"{state}{counted(status.needs_move_count, 'image file')} to move."


# --------------------------------------------------------------------------- providers


@click.group(cls=IvkGroup)
def providers() -> None:
    """Services that generate images for a server, such as OpenAI."""


@providers.command("ls")
@url_option
@output_options
def list_(url: str | None, as_json: bool) -> None:
    """List the services, and whether they can be used."""
    with connect(url) as client:
        found = client.server.providers()
        settings = {one.provider_id: one for one in _if_possible(client.server.provider_settings) or ()}
    if as_json:
        for one in found:
            more = settings.get(one.provider_id)
            emit({"event": "provider", "name": one.provider_id, **one.to_dict(), **_facts(more)})
        emit({"event": "result", "ok": True, "providers": len(found)})
        return
    columns = [
        Column("provider"),
        Column("configured"),
        Column("URL", whole=False),
        Column("note", whole=False),
    ]
    rows = [
        [
            one.provider_id,
            "yes" if one.configured else "",
            str(_facts(settings.get(one.provider_id)).get("base_url") or ""),
            "" if one.configured else one.message or "",
        ]
        for one in found
    ]
    if rows or not is_watched(sys.stdout):
        show_table(columns, rows)
    hint("Set an API key: ivk server providers set PROVIDER --api-key-stdin")


def _facts(settings: IvkProviderSettings | None) -> dict[str, Any]:
    if settings is None:
        return {}
    url = settings.base_url
    return {"api_key_configured": settings.api_key_configured, "base_url": url and hide_secrets(url)}


_provider = click.argument("provider", shell_complete=complete_providers)


@providers.command("set")
@_provider
@click.option("--api-key-stdin", is_flag=True, help="Read the API key from standard input.")
@click.option("--base-url", metavar="URL", help="URL to send requests to, or default for the service's own.")
@url_option
@output_options
def set_(provider: str, api_key_stdin: bool, base_url: str | None, url: str | None, as_json: bool) -> None:
    """Set a service's API key or URL. For administrators.

    The API key is read from standard input with --api-key-stdin, and otherwise from $INVOKEAI_PROVIDER_KEY.

    \b
      pass show openai | ivk server providers set openai --api-key-stdin
    """
    key = secret_line("API key") if api_key_stdin else os.environ.get(KEY_VARIABLE) or None
    if key is None and base_url is None:
        raise UsageError(f"Nothing to set. Pass --api-key-stdin or --base-url, or set {KEY_VARIABLE}.")
    with connect(url) as client:
        found = client.server.set_provider(provider, api_key=key, base_url=base_url)
    _done(f"Saved the settings of {found.provider_id}.", as_json, name=found.provider_id, **_facts(found))


@providers.command("reset")
@_provider
@yes_option
@url_option
@output_options
def reset(provider: str, yes: bool, url: str | None, as_json: bool) -> None:
    """Remove a service's API key and URL, and uninstall its models. For administrators."""
    confirm(f"Remove the API key and URL of {provider!r}, and uninstall its models?", yes)
    with connect(url) as client:
        found = client.server.reset_provider(provider)
    _done(f"Removed the settings of {found.provider_id}.", as_json, name=found.provider_id, **_facts(found))


COMMANDS: tuple[click.Command, ...] = (info, config, cache, log_level, move_images, providers)
"""The commands of this module, for the group ``ivk server``."""
