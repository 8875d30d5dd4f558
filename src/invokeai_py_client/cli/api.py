"""``ivk api``: any request to the server."""

from __future__ import annotations

import json
import os
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from invokeai_py_client.cli.api_fields import (
    form_fields,
    headers_of_options,
    nested,
    query_of_options,
    split_pair,
    typed,
)
from invokeai_py_client.cli.group import IvkCommand
from invokeai_py_client.cli.options import UserPath, connect, output_options, url_option
from invokeai_py_client.cli.output import after_run, echo, echo_bytes, emit, say
from invokeai_py_client.cli.streams import read_stdin
from invokeai_py_client.errors import UsageError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from invokeai_py_client import Response

_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD")
_READS = ("GET", "HEAD")
_SECRET_HEADERS = ("x-refreshed-token", "set-cookie")
_ROOT = "/api/v1/"


def _complete_methods(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Propose methods."""
    from click.shell_completion import CompletionItem

    del context, parameter
    return [CompletionItem(one) for one in _METHODS if one.startswith(incomplete.upper())]


def _complete_paths(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Propose the paths of the operations with the method, each up to the first name or id in it."""
    from click.shell_completion import CompletionItem

    from invokeai_py_client.api.operations import OPERATIONS

    del parameter
    method = str(context.params.get("method") or "").upper()
    paths = {one.path.partition("{")[0] for one in OPERATIONS.values() if not method or one.method == method}
    paths |= {"/openapi.json"} if method in ("", "GET") else set()
    if not incomplete.startswith("/"):
        paths = {path.removeprefix(_ROOT) for path in paths if path.startswith(_ROOT)}
    return [CompletionItem(path) for path in sorted(paths) if path.startswith(incomplete)]


@click.command(cls=IvkCommand)
@click.argument("method", metavar="METHOD", shell_complete=_complete_methods)
@click.argument("path", metavar="PATH", shell_complete=_complete_paths)
@click.option("-q", "--query", "query", metavar="NAME=VALUE", multiple=True, help="A query parameter.")
@click.option(
    "-f", "--raw-field", "texts", metavar="NAME=TEXT", multiple=True, help="A field of the body, as text."
)
@click.option(
    "-F",
    "--field",
    "fields",
    metavar="NAME=VALUE",
    multiple=True,
    help="A field of the body: true, false, null, a number, @FILE for the text of a file (@- for standard input), or "
    "text.",
)
@click.option(
    "--file",
    "files",
    metavar="NAME=PATH",
    multiple=True,
    help="A file to send. The body is a form then. Use - for standard input.",
)
@click.option(
    "--input",
    "source",
    type=UserPath(dir_okay=False, allow_dash=True),
    metavar="FILE",
    help="A file with the JSON body, or - for standard input.",
)
@click.option("-H", "--header", "headers", metavar="'NAME: VALUE'", multiple=True, help="A header.")
@click.option("-i", "--include", is_flag=True, help="Print the status and the headers of the response, too.")
@click.option(
    "-o",
    "--output",
    type=UserPath(allow_dash=True),
    metavar="FILE",
    help="Save the body of the response to a file, or write it to standard output (-) whatever it is.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(0, min_open=True),
    metavar="SECONDS",
    help="How long to wait for the response. Defaults to 60.",
)
@url_option
@output_options(short_quiet=False)
def api(
    method: str,
    path: str,
    query: tuple[str, ...],
    texts: tuple[str, ...],
    fields: tuple[str, ...],
    files: tuple[str, ...],
    source: Path | str | None,
    headers: tuple[str, ...],
    include: bool,
    output: Path | str | None,
    timeout: float | None,
    url: str | None,
    as_json: bool,
) -> None:
    """Send a request to the server and print the response.

    PATH is a path below /api/v1, a full path that begins with /api/, or /openapi.json. The server describes its
    operations at its address followed by /docs.

    \b
      ivk api GET app/version
      ivk api GET images/ -q limit=10 -q board_id=none
      ivk api POST utilities/dynamicprompts -f prompt="a {red|blue} fox"
      ivk api POST style_presets/import --file file=presets.csv
      ivk api GET videos/i/NAME/full -o fox.mp4

    Fields are sent as a JSON object. a[b]=1 is an object in an object, and a[]=1 adds to a list. With --file, fields
    are sent as a form, and with GET and HEAD as query parameters.

    JSON is printed indented in a terminal. Into a pipe or a file, the body is written as the server sent it. Files such
    as images are not printed in a terminal: pass -o.
    """
    pairs: list[tuple[str, Any]] = [split_pair(one, "-f") for one in texts]
    pairs += [(name, typed(value, _read)) for name, value in (split_pair(one, "-F") for one in fields)]
    params = query_of_options(split_pair(one, "-q") for one in query)
    options: dict[str, Any] = {"headers": headers_of_options(headers), "timeout": timeout}
    if source is not None:
        if pairs or files:
            raise UsageError("--input cannot be combined with -f, -F and --file: a request has one body.")
        options["json"] = _json_of(source)
    elif files:
        options["form"] = form_fields(nested(pairs))
        options["files"] = _files_of(files)
    elif pairs and method.upper() in _READS:
        for name, values in query_of_options(pairs).items():
            params.setdefault(name, []).extend(values)
    elif pairs:
        options["json"] = nested(pairs)
    target = output if output is not None and str(output) != "-" else None
    with connect(url) as client:
        response = client.request(method, path, params=params, save_to=target, **options)
    # A command that fails because of its output must not look as if it had been refused.
    advice = "" if method.upper() in _READS else "The server has carried out the request."
    with after_run(advice) if advice else nullcontext():
        if as_json:
            _emit(response, include)
            return
        if include:
            _print_head(response)
        if target is not None:
            say(f"Saved {Path(target).stat().st_size:,} bytes to {target}.")
        else:
            _print_body(response, always=output is not None)


def _print_head(response: Response) -> None:
    echo(f"HTTP {response.status_code}")
    for name, value in _headers(response).items():
        echo(f"{name}: {value}".replace("\n", " "))
    echo()


def _headers(response: Response) -> dict[str, str]:
    """Return the headers, in lower case. Tokens are hidden, because terminals and logs are not private."""
    lowered = {name.lower(): value for name, value in response.headers.items()}
    return {name: "***" if name in _SECRET_HEADERS else value for name, value in lowered.items()}


def _print_body(response: Response, *, always: bool) -> None:
    is_text = "json" in response.content_type or response.content_type.startswith("text/")
    if always or not sys.stdout.isatty():
        echo_bytes(response.content)
        return
    if not response.content:
        return
    if not is_text:
        raise _binary(response)
    if "json" in response.content_type:
        emit(response.json(), indent=2)
    else:
        echo(response.text)


def _emit(response: Response, include: bool) -> None:
    result: dict[str, Any] = {"event": "result", "status": response.status_code}
    if include:
        result["headers"] = _headers(response)
    if response.path is not None:
        result |= {"path": str(response.path), "size": response.path.stat().st_size}
    elif "json" in response.content_type:
        result["body"] = response.json()
    elif not response.content or response.content_type.startswith("text/"):
        result["body"] = response.text or None
    else:
        raise _binary(response)
    emit(result)


def _binary(response: Response) -> UsageError:
    kind = response.content_type or "unknown content"
    return UsageError(
        f"The response is a file ({kind}, {len(response.content):,} bytes), which cannot be printed. "
        "Save it with -o FILE."
    )


def _read(name: str) -> str:
    """Return the text of a file, or of standard input."""
    from invokeai_py_client._paths import user_path
    from invokeai_py_client.files.text import read_text

    return (read_stdin() if name == "-" else read_text(user_path(name))).removesuffix("\n")


def _json_of(source: Path | str) -> Any:
    text = _read(os.fspath(source))
    where = "Standard input" if str(source) == "-" else f"The file {str(source)!r}"
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{where} is not valid JSON: {error}. Fix it, or pass the fields with -f.") from None


def _files_of(options: tuple[str, ...]) -> dict[str, Any]:
    found: dict[str, list[Any]] = {}
    for name, path in (split_pair(one, "--file") for one in options):
        content = sys.stdin.buffer.read() if path == "-" else path
        found.setdefault(name, []).append(content)
    return found
