"""``ivk sweep``: run a workflow many times with different inputs."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from invokeai_py_client._partial import is_hopeless, partial_failure
from invokeai_py_client.cli.complete import complete_settings
from invokeai_py_client.cli.group import IvkCommand
from invokeai_py_client.cli.options import (
    UserPath,
    board_option,
    check_name,
    connect,
    connect_pool,
    name_option,
    output_options,
    pool_option,
    read_settings,
    seed_of_options,
    seed_options,
    url_option,
    workflow_argument,
)
from invokeai_py_client.cli.output import after_run, counted, echo, emit, is_quiet, open_file, say
from invokeai_py_client.errors import (
    APIRequestError,
    InvokeAIClientError,
    NotFoundError,
    TransferError,
    UsageError,
)
from invokeai_py_client.files.formats import VIDEO
from invokeai_py_client.files.names import UniquePaths, literal_folder, paths_of_run_files
from invokeai_py_client.sweep.naming import default_template, run_files

if TYPE_CHECKING:
    from invokeai_py_client import Image, InvokeAIClient, Run, Sweep, Video, WorkflowHandle
    from invokeai_py_client.sweep.plan import SweepPlan

MANIFEST = "sweep.jsonl"


@click.command(cls=IvkCommand)
@workflow_argument
@click.option(
    "-s",
    "--set",
    "settings",
    metavar="NAME=VALUES",
    multiple=True,
    shell_complete=complete_settings,
    help="Values of an input: 1,2,3 or 1-10 (+2) for numbers, 'a || b' for texts, @FILE for one per line "
    "(@@ for a value that starts with @), a folder or a pattern for images. A single value applies to all runs.",
)
@click.option("--rows", type=UserPath(), metavar="FILE", help="CSV or JSONL file with one run per row.")
@click.option("--zip", "zipped", is_flag=True, help="Pair the values instead of combining them.")
@click.option(
    "-n",
    "--repeat",
    type=click.IntRange(1),
    default=1,
    metavar="N",
    help="Repeat each run N times with different seeds.",
)
@seed_options
@click.option(
    "-o",
    "--output",
    metavar="DIR",
    type=UserPath(file_okay=False),
    default=Path("sweep"),
    help="Folder for the results. Defaults to sweep.",
)
@name_option
@click.option("--grid", is_flag=True, help="Save a labeled grid of the images as DIR/grid.png.")
@click.option("--report", is_flag=True, help="Save an HTML report as DIR/index.html.")
@click.option("--resume", is_flag=True, help=f"Resume the sweep in DIR/{MANIFEST}, with new rows of --rows.")
@click.option(
    "--retry-failed", is_flag=True, help="Resume the sweep and run its failed and canceled runs again."
)
@click.option(
    "--background", is_flag=True, help="Queue only a few runs at a time, so that others can run in between."
)
@board_option("Board for fields set to 'auto': its name or id.")
@click.option(
    "--open", "opens", is_flag=True, help="Open the report, the grid or the folder with the images."
)
@click.option("--dry-run", is_flag=True, help="Check all values and print the number of runs.")
@pool_option
@url_option
@output_options
def sweep(
    workflow: str,
    settings: tuple[str, ...],
    rows: Path | None,
    zipped: bool,
    repeat: int,
    seed: str | None,
    random_seeds: bool,
    output: Path,
    name: str | None,
    grid: bool,
    report: bool,
    resume: bool,
    retry_failed: bool,
    background: bool,
    board: str | None,
    opens: bool,
    dry_run: bool,
    pool: str | None,
    url: str | None,
    as_json: bool,
) -> None:
    """Run a workflow for every combination of values and save the images.

    Progress is recorded in DIR/sweep.jsonl. To continue after an interruption, repeat the command with --resume.

    \b
      ivk sweep portrait.json -s steps=10,20 -s seed=0..3 -s prompt=@p.txt --grid
      ivk sweep portrait.json -s seed=0..999 --pool lab
    """
    with ExitStack() as stack:
        servers = None if pool is None else stack.enter_context(connect_pool(pool, url))
        client = stack.enter_context(connect(url)) if servers is None else servers.client()
        manifest = output / MANIFEST
        if retry_failed and not manifest.exists():
            raise UsageError(
                f"No sweep to retry: {manifest} does not exist. Pass the folder of the sweep with -o."
            )
        if (resume or retry_failed) and manifest.exists() and not dry_run:
            from invokeai_py_client import Sweep

            if rows is not None:
                added = _extend(client, workflow, settings, manifest, rows, repeat, seed, random_seeds, board)
                say(f"Resuming {manifest} with {counted(added, 'new row')}.")
            elif settings:
                say(f"Resuming {manifest} (ignoring -s).")
            resumed = Sweep.resume(manifest, servers or client)
            if retry_failed:
                say(f"Retrying {counted(resumed.retry_failed(), 'run')}.")
            _finish(resumed, output, name, grid, report, opens, as_json)
            return
        if resume and not dry_run:
            say(f"{manifest} does not exist. Starting a new sweep.")
        handle = (servers or client.workflow_repo).create_workflow(workflow)
        for warning in handle.warnings:
            say(f"Note: {warning}")
        settings, plan_seed = seed_of_options(handle, settings, seed, random_seeds, repeat)
        values, axes = _read(handle, settings)
        if rows is not None:
            if axes:
                raise UsageError(
                    "With --rows, -s sets a single value for all runs. Put varying values in the rows."
                )
            plan = handle.sweep_rows_plan(
                rows, repeat=repeat, seed=plan_seed, values=values, auto_board=board
            )
        else:
            mode = "zip" if zipped else "product"
            plan = handle.sweep_plan(
                axes, mode=mode, repeat=repeat, seed=plan_seed, values=values, auto_board=board
            )
        if name is not None and plan.inputs is not None:
            check_name(name, plan.inputs, plan)
        if dry_run:
            handle.check_sweep(plan)
            if servers is not None:
                report_fit(servers.check(handle, plan))
        announce(client, handle, plan, as_json, servers=1 if servers is None else len(servers.servers))
        if dry_run:
            return
        started = handle.start_sweep(plan, manifest=manifest, background=background)
        _finish(started, output, name, grid, report, opens, as_json)


def _extend(
    client: InvokeAIClient,
    workflow: str,
    settings: tuple[str, ...],
    manifest: Path,
    rows: Path,
    repeat: int,
    seed: str | None,
    random_seeds: bool,
    board: str | None,
) -> int:
    """Add the new rows of a table to a sweep. Return the number of new runs."""
    handle = client.workflow_repo.create_workflow(workflow)
    settings, plan_seed = seed_of_options(handle, settings, seed, random_seeds, repeat)
    values, axes = _read(handle, settings)
    if axes:
        raise UsageError("With --rows, -s sets a single value for all runs. Put varying values in the rows.")
    return handle.extend_sweep(manifest, rows, repeat=repeat, seed=plan_seed, values=values, auto_board=board)


def _read(handle: WorkflowHandle, settings: tuple[str, ...]) -> tuple[dict[Any, Any], dict[Any, Any]]:
    """Return the values that apply to all runs, and the values that vary."""
    from invokeai_py_client.sweep.sources import values_of_text

    fixed: dict[Any, Any] = {}
    axes: dict[Any, Any] = {}
    for address, found, text in read_settings(handle, settings):
        given = values_of_text(found, text)
        if len(given) == 1:
            fixed[address] = given[0]
        else:
            axes[address] = given
    return fixed, axes


def announce(
    client: InvokeAIClient,
    handle: WorkflowHandle,
    plan: SweepPlan,
    as_json: bool,
    *,
    prepend: bool = False,
    servers: int = 1,
) -> None:
    """Print the number of runs, the seed if all runs have the same, and the estimated time with the queue ahead."""
    seconds = handle.usual_seconds() if servers == 1 else None  # the speed of the others is not known yet
    ahead = 0 if prepend else client.queue_repo.status(mine=False).unfinished
    seed = _shared_seed(plan)
    if as_json:
        line = {
            "event": "plan",
            "runs": plan.count,
            "requests": len(plan.parts),
            "axes": list(plan.axes),
            "seed": seed,
        }
        expected = None if seconds is None else round(seconds * plan.count, 1)
        waiting = None if seconds is None else round(seconds * ahead, 1)
        emit({**line, "seconds": expected, "ahead": ahead, "seconds_ahead": waiting})
        return
    over = f" over {', '.join(plan.axes)}" if plan.axes else ""
    about = ""
    if seconds is not None:
        queue = f" including {counted(ahead, 'item')} ahead in the queue" if ahead else ""
        about = f", about {_duration(seconds * (plan.count + ahead))}{queue} (recent runs took {seconds:.1f} s each)"
    pinned = "" if seed is None else f" Seed: {seed}."
    if servers > 1:
        about = f", on {servers} servers"
    say(f"{counted(plan.count, 'run')}{over}, in {counted(len(plan.parts), 'request')}{about}.{pinned}")


def report_fit(problems: Mapping[str, Sequence[str]]) -> None:
    """Print why some servers of a pool cannot do all runs."""
    for server, reasons in problems.items():
        for reason in reasons:
            say(f"{server}: {reason}")


def _save_grids(sweep: Sweep, folder: Path) -> list[Path]:
    """Save the grid as ``grid.png``, or as ``grid-1.png``, ``grid-2.png`` and so on if it has several pages."""
    paths: list[Path] = []
    for number, page in enumerate(sweep.grids(), 1):
        paths.append(folder / f"grid-{number}.png")
        page.save(paths[-1])
    return [paths[0].rename(folder / "grid.png")] if len(paths) == 1 else paths


@dataclass
class SavedFiles:
    """The images and videos of a sweep.

    Attributes:
        paths: The files of those that were saved, by name, in the order in which the runs ended.
        failed: The errors of the others, by name.
    """

    paths: dict[str, Path] = field(default_factory=dict[str, Path])
    failed: dict[str, InvokeAIClientError] = field(default_factory=dict[str, InvokeAIClientError])

    def save(self, file: Image | Video, path: Path) -> None:
        """Save an image or a video, or keep the error.

        Raises:
            APIRequestError: No other file can be downloaded either.
        """
        try:
            self.paths[file.name] = file.save(path)
        except APIRequestError as error:
            if is_hopeless(error):
                raise
            if isinstance(error, NotFoundError):
                kept = f" The earlier file {path} was kept." if path.exists() else ""
                error.args = (f"It is not on the server.{kept}",)  # the message names the file
            self.failed[file.name] = error

    def error(self) -> TransferError | None:
        """Return the error about images and videos that could not be saved, or None if all were saved."""
        if not self.failed:
            return None
        kind = "file" if any(path.suffix == VIDEO for path in self.paths.values()) else "image"
        return partial_failure("downloaded", self.failed, self.paths, kind=kind)


def follow(sweep: Sweep, template: str, as_json: bool) -> SavedFiles:
    """Wait for the runs of a sweep, save their images and videos, and print each run that has ended.

    An image that cannot be downloaded does not stop the others.

    Args:
        sweep: The sweep. It is canceled on Ctrl-C.
        template: The template for the files of the images.
        as_json: Whether to print JSON.
    """
    made = SavedFiles()
    watched = sys.stdout.isatty()  # paths would break the progress bar
    taken = UniquePaths()

    def on_run(run: Run) -> None:
        paths = paths_of_run_files(template, run_files(sweep.index(run), run, sweep.names), taken)
        files = [*run.images, *run.videos]
        for file, path in zip(files, paths, strict=True):
            made.save(file, path)
        saved = [made.paths[file.name] for file in files if file.name in made.paths]
        values = {name: run.inputs.get(name) for name in sweep.axes}
        if as_json:
            where = {} if run.server is None else {"server": run.server}
            line = {"event": "run", **where, "item_id": run.item_id, "state": run.status.state.value}
            emit({**line, "inputs": values, "seed": run.seed, "seconds": run.seconds, **_paths(saved)})
            return
        if not watched:
            for path in saved:
                echo(path)
        if not run.status.ok:
            shown = ", ".join(f"{name} = {value}" for name, value in values.items())
            say(f"{shown}: {run.status}")

    try:
        # The disk may be too full for an image or for the manifest.
        with after_run(
            "Runs that were sent continue on the server. `ivk sweep --resume` fetches their images."
        ):
            sweep.wait(on_run=on_run, progress=False if is_quiet() else None if as_json else True)
    except KeyboardInterrupt:
        sweep.cancel()
        say(f"Canceled with {sweep.done} of {counted(len(sweep), 'run')} finished.")
        raise
    return made


def _paths(saved: Sequence[Path]) -> dict[str, list[str]]:
    """Return the paths of images and of videos for JSON. Runs without videos have no list of them."""
    videos = [str(path) for path in saved if path.suffix == VIDEO]
    images = [str(path) for path in saved if path.suffix != VIDEO]
    return {"images": images} | ({"videos": videos} if videos else {})


def raise_if_incomplete(sweep: Sweep, missing: TransferError | None) -> None:
    """Raise the error about missing images or failed runs. If there are both, print that about images.

    Raises:
        TransferError: Some images could not be downloaded.
        RunError: A run failed or was canceled.
    """
    failed = sweep.failed
    if failed and missing is not None:
        say(str(missing))
    elif missing is not None:
        raise missing
    if failed:
        failed[0].raise_if_failed()


def _finish(
    sweep: Sweep, output: Path, name: str | None, grid: bool, report: bool, opens: bool, as_json: bool
) -> None:
    output.mkdir(parents=True, exist_ok=True)
    watched = sys.stdout.isatty()
    try:
        template = default_template(sweep.names) if name is None else name
        saved = follow(sweep, f"{literal_folder(output / 'images')}{template}", as_json)
    except KeyboardInterrupt:
        say("To continue, add --resume.")
        raise
    failed = len(sweep.failed)
    made: list[Path] = []
    if grid:
        made += _save_grids(sweep, output)
    if report:
        try:
            made.append(sweep.report(output))
        except TransferError as error:
            made.append(output / "index.html")  # it was written nevertheless
            saved.failed = error.failed | saved.failed
    missing = saved.error()
    if not as_json:
        for path in made:
            echo(path)
    if as_json:
        complete = not failed and missing is None
        emit({"event": "result", "ok": complete, "runs": len(sweep), "failed": failed})
    else:
        images = f"Images: {output / 'images'}/, manifest" if watched else "Manifest"
        say(f"{len(sweep) - failed} of {counted(len(sweep), 'run')} succeeded. {images}: {output / MANIFEST}")
    if opens:
        open_file(made[-1] if report else made[0] if made else output / "images")
    raise_if_incomplete(sweep, missing)


def _shared_seed(plan: SweepPlan) -> int | None:
    """Return the seed that all runs of a plan use, or None if they differ."""
    from invokeai_py_client.engine.inputs import seed_names

    if plan.inputs is None:
        return None
    names = seed_names(plan.inputs)
    return None if set(names.main) & set(plan.axes) else names.seed(plan.inputs.snapshot())


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
