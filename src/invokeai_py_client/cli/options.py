"""Options and arguments that several commands share."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, overload

import click

from invokeai_py_client._paths import user_path
from invokeai_py_client.cli.complete import (
    complete_boards,
    complete_pools,
    complete_settings,
    complete_workflows,
)
from invokeai_py_client.errors import InputValueError, UsageError

if TYPE_CHECKING:
    from invokeai_py_client import InvokeAIClient, InvokeAIPool
    from invokeai_py_client.engine.inputs import InputSet, WorkflowInput
    from invokeai_py_client.sweep.plan import SweepPlan
    from invokeai_py_client.workflow import WorkflowHandle

F = TypeVar("F", bound=Callable[..., Any])

_LONGEST_INDEX = 10
# Several numbers in the notation of `ivk sweep`: a list or a range.
_SEVERAL = re.compile(r"\s*-?[\d.]+\s*(?:,\s*-?[\d.]+\s*)+|\s*\d+\s*(?:\.\.|-)\s*\d+.*")


class UserPath(click.Path):
    """A path on the command line, with ``~`` expanded. A path that is not valid raises ``UsageError``."""

    def __init__(self, *, file_okay: bool = True, dir_okay: bool = True, allow_dash: bool = False) -> None:
        super().__init__(file_okay=file_okay, dir_okay=dir_okay, allow_dash=allow_dash, path_type=Path)

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> str | bytes | os.PathLike[str]:
        """Return the path."""
        is_standard = self.allow_dash and value == "-"
        return super().convert(value if is_standard else user_path(value), param, ctx)


def workflow_argument(command: F) -> F:
    """Add the argument ``FILE``, a workflow file or the name of a workflow in the library, and ``--refresh``."""
    command = click.option(
        "--refresh",
        is_flag=True,
        expose_value=False,
        callback=_keep,
        help="Read the server's node types again, and do not use the cached ones.",
    )(command)
    return click.argument("workflow", metavar="FILE", shell_complete=complete_workflows)(command)


def url_option(command: F) -> F:
    """Add the option ``--url``, which may also come before the command."""
    return click.option(
        "--url",
        metavar="URL",
        callback=_from_group,
        help="Server to use. Defaults to $INVOKEAI_URL, then the profile saved by `ivk login`, then "
        "http://localhost:9090.",
    )(command)


version_option = click.option(
    "--version", "version", metavar="VERSION", default="6.14.2", show_default=True, help="InvokeAI release."
)
"""Of a local server to install or start."""
host_option = click.option(
    "--host", metavar="ADDRESS", default="127.0.0.1", show_default=True, help="Address to listen on."
)
tiny_models_option = click.option(
    "--tiny-models", is_flag=True, help="Install tiny models for tests, including FLUX models."
)
startup_option = click.option(
    "--timeout",
    metavar="SECONDS",
    type=float,
    default=120.0,
    show_default=True,
    help="Seconds to wait for startup.",
)


@overload
def output_options(command: F) -> F: ...
@overload
def output_options(*, short_quiet: bool) -> Callable[[F], F]: ...
def output_options(command: F | None = None, *, short_quiet: bool = True) -> F | Callable[[F], F]:
    """Add the options ``--json`` and ``--quiet``, which may also come before the command.

    Args:
        command: The command.
        short_quiet: Whether ``-q`` is short for ``--quiet``. Defaults to True.
    """
    if command is None:
        return lambda command: _with_output_options(command, short_quiet)
    return _with_output_options(command, short_quiet)


def _with_output_options(command: F, short_quiet: bool) -> F:
    quiet = click.option(
        *(["-q"] if short_quiet else []),
        "--quiet",
        is_flag=True,
        expose_value=False,
        callback=_keep,
        help="Print only results and errors: no progress, notes or hints.",
    )
    as_json = click.option(
        "--json", "as_json", is_flag=True, callback=_from_group, help="Print JSON, one object per line."
    )
    debug = click.option(
        "--debug", is_flag=True, expose_value=False, help="Print log messages and the tracebacks of errors."
    )
    return quiet(as_json(debug(command)))


def common_options(*, hidden: bool) -> list[click.Option]:
    """Return the options that command groups accept for the command that follows.

    Args:
        hidden: Whether to leave them out of the group's help.
    """
    url = click.Option(
        ["--url"], metavar="URL", expose_value=False, hidden=hidden, callback=_keep, help="Server to use."
    )
    quiet, as_json, debug = (
        click.Option(names, is_flag=True, expose_value=False, hidden=hidden, callback=_keep, help=text)
        for names, text in (
            (["-q", "--quiet"], "Print only results and errors."),
            (["--json", "as_json"], "Print JSON, one object per line."),
            (["--debug"], "Print log messages and the tracebacks of errors."),
        )
    )
    return [url, quiet, as_json, debug]


def _keep(context: click.Context, parameter: click.Parameter, value: Any) -> None:
    """Keep the value of an option for the command, if it was passed. Contexts of one command line share it."""
    if value:
        context.meta[f"ivk.{parameter.name}"] = value


def _from_group(context: click.Context, parameter: click.Parameter, value: Any) -> Any:
    """Return the value of an option, or the value that was passed before the command."""
    return value or context.meta.get(f"ivk.{parameter.name}", value)


def set_option(command: F) -> F:
    """Add the option ``-s NAME=VALUE``, which sets an input."""
    return click.option(
        "-s",
        "--set",
        "settings",
        metavar="NAME=VALUE",
        multiple=True,
        shell_complete=complete_settings,
        help="Set an input, named by its label, field, node.field or index. Use @FILE to read a text from a file, "
        "@@ for a text that starts with @, and null to remove the value of an optional input.",
    )(command)


def seed_options(command: F) -> F:
    """Add the options ``--seed`` and ``--random-seeds``."""
    command = click.option(
        "--random-seeds", is_flag=True, help="Use a different random seed for each run, and record it."
    )(command)
    return click.option(
        "--seed", metavar="N", help="The seed, or the first seed of several runs. Defaults to a random one."
    )(command)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """The options of the commands that run a workflow.

    Attributes:
        settings: The options ``-s``.
        count: The option ``-n``: the number of runs.
        seed: The option ``--seed``.
        random_seeds: The option ``--random-seeds``.
        output: The option ``-o``: a folder, a file, or ``-``.
        name: The option ``--name``.
        timeout: The option ``--timeout``: seconds to wait, or None for no limit.
        preview: Whether to show a live preview.
        opens: Whether to open the saved images.
        dry_run: Whether to print the request instead of sending it.
        url: The option ``--url``.
        as_json: Whether to print JSON.
    """

    settings: tuple[str, ...]
    count: int
    seed: str | None
    random_seeds: bool
    output: str
    name: str | None
    timeout: float | None
    preview: bool
    opens: bool
    dry_run: bool
    url: str | None
    as_json: bool

    def check_count(self, instead: str) -> None:
        """Check that several runs are not combined with options for a single run.

        Args:
            instead: What else to do, as a sentence.

        Raises:
            UsageError: The options cannot be combined.
        """
        if self.count > 1 and (self.preview or self.dry_run or self.timeout is not None):
            raise UsageError(f"-n cannot be combined with --preview, --dry-run or --timeout. {instead}")


def run_options(count_help: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return a decorator that adds the options of a run and passes them to the command as one argument, ``options``.

    Args:
        count_help: The help text of ``-n``.
    """
    decorators: list[Callable[[Callable[..., None]], Callable[..., None]]] = [
        set_option,
        click.option("-n", "count", type=click.IntRange(1), default=1, metavar="N", help=count_help),
        seed_options,
        click.option(
            "-o",
            "--output",
            metavar="PATH",
            default=".",
            help="Folder for the images; or a file ending in .png, .jpg, .webp or .avif; or - for standard output. "
            "Defaults to the current folder.",
        ),
        name_option,
        click.option(
            "--timeout",
            type=float,
            metavar="SECONDS",
            help="Stop waiting after this time. The run continues.",
        ),
        click.option("--preview", is_flag=True, help="Show a live preview of the image in the terminal."),
        click.option("--open", "opens", is_flag=True, help="Open the saved images."),
        click.option("--dry-run", is_flag=True, help="Print the request instead of sending it."),
        url_option,
        output_options,
    ]

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @wraps(command)
        def collect(**given: Any) -> None:
            options = RunOptions(**{field.name: given.pop(field.name) for field in fields(RunOptions)})
            command(options=options, **given)

        decorated: Callable[..., None] = collect
        for decorator in reversed(decorators):
            decorated = decorator(decorated)
        return decorated

    return decorate


def name_option(command: F) -> F:
    """Add the option ``--name``, the template for the names of image files."""
    return click.option(
        "--name",
        metavar="TEMPLATE",
        help="File names of the images, made of inputs, {seed}, {index}, {item} and {image}, for example "
        "'{seed}-{prompt}.jpg'.",
    )(command)


def check_name(template: str, inputs: InputSet, plan: SweepPlan | None = None) -> Path:
    """Check a template for file names before anything is run, and return an example of a file.

    Args:
        template: The template.
        inputs: The inputs of the workflow, with their values.
        plan: The plan of the sweep. Defaults to None for a single run.

    Raises:
        UsageError: The template is invalid, contains an unknown name, or is for an unsupported format.
    """
    from invokeai_py_client.engine.inputs import seed_names
    from invokeai_py_client.files.convert import check_target
    from invokeai_py_client.files.formats import VIDEO
    from invokeai_py_client.files.names import file_name

    seeds = seed_names(inputs)
    drawn = dict.fromkeys((*seeds.main, *seeds.drawn.values()), 0)
    values = {**({"seed": 0} if drawn else {}), **drawn, **inputs.snapshot()}
    values |= {} if plan is None else next(plan.points())
    name = "name" if plan is not None and plan.names else ""
    example = file_name(template, values, 0, "image.png", item=0, name=name)
    check_target(example, "MP4" if example.suffix.casefold() == VIDEO and inputs.may_make_videos else "PNG")
    return example


def connect(url: str | None) -> InvokeAIClient:
    """Return a client for the server at a URL. Defaults to the configured server."""
    from invokeai_py_client import InvokeAIClient

    client = InvokeAIClient.from_url(url)
    context = click.get_current_context(silent=True)
    if context is not None and context.meta.get("ivk.refresh"):
        try:
            client.schema(refresh=True)
        except BaseException:
            client.close()
            raise
    return client


def pool_option(command: F) -> F:
    """Add the option ``--pool``."""
    return click.option(
        "--pool",
        "pool",
        metavar="POOL",
        shell_complete=complete_pools,
        help="Servers to share the runs: the name of a pool (see `ivk pool`), profiles and URLs separated by commas, "
        "or the address of a Dask scheduler.",
    )(command)


def connect_pool(pool: str, url: str | None = None) -> InvokeAIPool:
    """Return a pool.

    Raises:
        UsageError: No pool has this name, the text is not valid, or there is a URL, too.
    """
    from invokeai_py_client import InvokeAIPool

    context = click.get_current_context(silent=True)
    given = None if context is None else context.get_parameter_source("url")
    if url is not None and given is click.core.ParameterSource.COMMANDLINE:
        raise UsageError("Pass either --pool or --url: the pool has the URLs of its servers.")
    return InvokeAIPool.from_config(pool)


def parse_settings(workflow: WorkflowHandle, settings: tuple[str, ...]) -> dict[str | int, Any]:
    """Return the values of ``-s`` options, parsed according to the types of their inputs.

    Raises:
        UsageError: An option has no ``=``, names an unknown input or has a value of the wrong type.
    """
    from invokeai_py_client.engine.seeds import is_random

    values: dict[str | int, Any] = {}
    for address, found, text in read_settings(workflow, settings):
        if found.is_seed and is_random(text):
            values[address] = text
            continue
        try:
            values[address] = found.field.parse_text(content_of(text))
        except InputValueError as error:
            if _SEVERAL.fullmatch(text):
                raise InputValueError(f"{error} For a run with each value, use `ivk sweep`.") from None
            raise
    return values


def read_settings(
    workflow: WorkflowHandle, settings: Iterable[str]
) -> Iterator[tuple[str | int, WorkflowInput, str]]:
    """Yield the address, the input and the text of each ``-s`` option.

    Raises:
        UsageError: An option has no ``=``, names an unknown input, or names an input twice.
    """
    named: set[Any] = set()
    for setting in settings:
        name, text = split_setting(setting)
        address = address_of(name)
        found = workflow.inputs.find_settable(address)
        once(named, found.key, name)
        yield address, found, text


def seed_of_options(
    workflow: WorkflowHandle, settings: tuple[str, ...], seed: str | None, random_seeds: bool, repeat: int
) -> tuple[tuple[str, ...], Any]:
    """Return the ``-s`` options and the seed of a sweep: ``"random"``, ``"workflow"``, a number or None.

    Args:
        workflow: The workflow.
        settings: The ``-s`` options. Those that set a seed to ``random`` or ``workflow`` are removed, and ``--seed`` is
            added if it is a value for all runs.
        seed: The option ``--seed``.
        random_seeds: The option ``--random-seeds``.
        repeat: How many times to run each combination of values.

    Raises:
        UsageError: The seed is given more than once, or is not a number although there are several runs.
    """
    from invokeai_py_client.engine.seeds import SEED

    chosen = ["random"] if random_seeds else []
    left: list[str] = []
    for setting in settings:
        name, text = split_setting(setting)
        word = text.strip().casefold()
        if word in ("random", "workflow") and workflow.inputs.find_settable(address_of(name)).is_seed:
            chosen.append(word)
        else:
            left.append(setting)
    if seed is not None:
        chosen.append(seed.strip().casefold())
    times = len(chosen) + sum(split_setting(setting)[0].strip().casefold() == SEED for setting in left)
    if chosen and times > 1:
        raise UsageError(f"The seed was given {times} times. Use one of --seed, --random-seeds and -s.")
    if not chosen or chosen[0] in ("random", "workflow"):
        return tuple(left), chosen[0] if chosen else None
    if repeat == 1:
        return (*left, f"seed={chosen[0]}"), None
    try:
        return tuple(left), int(chosen[0])
    except ValueError:
        raise UsageError(
            f"Invalid option --seed {seed!r}: expected the first seed, a whole number, because there are several runs."
        ) from None


def once(named: set[Any], key: Any, name: str) -> None:
    """Remember the key of an input, so that no second option overrides it.

    Raises:
        UsageError: An earlier option named the same input.
    """
    if key in named:
        raise UsageError(f"The input {name!r} was given twice. Use one option for each input.")
    named.add(key)


def split_setting(setting: str) -> tuple[str, str]:
    """Split a ``-s`` option into its name and its text.

    Raises:
        UsageError: The option has no name or no ``=``.
    """
    name, equals, text = setting.partition("=")
    if not equals or not name.strip():
        raise UsageError(f"Invalid option -s {setting!r}: expected NAME=VALUE, for example -s steps=30.")
    return name.strip(), text


def address_of(name: str) -> str | int:
    """Return the address of an input that was named on the command line: an index if it is a number."""
    return int(name) if name.isdecimal() and len(name) < _LONGEST_INDEX else name


def content_of(text: str) -> str:
    """Return the text of ``@FILE``, or the text itself. ``@@`` begins a text that starts with ``@``."""
    if not text.startswith("@"):
        return text
    if text.startswith("@@"):
        return text[1:]
    from invokeai_py_client.files.text import read_text

    path = user_path(text[1:])
    try:
        return read_text(path).rstrip("\n")
    except UsageError as error:
        raise UsageError(f"{error} To use a value that starts with @, write @@ instead: @{text}") from None


def board_option(text: str, *, required: bool = False) -> Callable[[F], F]:
    """Return a decorator that adds the option ``--board`` with a help text."""
    return click.option(
        "--board", metavar="BOARD", required=required, shell_complete=complete_boards, help=text
    )


def yes_option(command: F) -> F:
    """Add the option ``--yes``, which skips the question of `confirm`."""
    return click.option("-y", "--yes", is_flag=True, help="Do not ask for confirmation.")(command)


def time_options(command: F) -> F:
    """Add the options ``--since`` and ``--until``."""
    since = click.option(
        "--since",
        metavar="TIME",
        help="Only images created since: 7d, 12h, yesterday, 2026-01-31, '2026-01-31 18:00'.",
    )
    until = click.option(
        "--until", metavar="TIME", help="Only images created until then. A date includes the day."
    )
    return since(until(command))


def limit_option(command: F) -> F:
    """Add the option ``-n``, which limits a list."""
    return click.option(
        "-n",
        "--limit",
        type=click.IntRange(1),
        metavar="N",
        help="Maximum number of rows. Defaults to a screenful in a terminal, and to all rows if piped.",
    )(command)
