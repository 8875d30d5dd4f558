"""``ivk sweep``: many runs of a workflow from the shell."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from invokeai_py_client.cli.options import (
    connect,
    json_option,
    read_settings,
    url_option,
    workflow_argument,
)
from invokeai_py_client.cli.output import counted, emit, say
from invokeai_py_client.errors import UsageError
from invokeai_py_client.files.names import literal_folder

if TYPE_CHECKING:
    from invokeai_py_client import Run, Sweep, WorkflowHandle
    from invokeai_py_client.sweep.plan import SweepPlan

MANIFEST = "sweep.jsonl"


@click.command()
@workflow_argument
@click.option(
    "-s",
    "--set",
    "settings",
    metavar="NAME=VALUES",
    multiple=True,
    help="An input and the values it takes: 1,2,3 or 1-10 (+2) for numbers, 'a || b' for texts, @FILE for a line each, "
    "a folder or pattern of images. One value holds for all runs.",
)
@click.option(
    "--rows", type=click.Path(path_type=Path), metavar="FILE", help="A CSV or JSONL file, one run a row."
)
@click.option("--zip", "zipped", is_flag=True, help="Pair the values instead of combining them.")
@click.option(
    "--repeat", type=click.IntRange(1), default=1, metavar="N", help="Run each N times, with other seeds."
)
@click.option("--random-seeds", is_flag=True, help="A seed of its own for each run, recorded with it.")
@click.option(
    "-o",
    "--output",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("sweep"),
    help="Where the images go; by default sweep/.",
)
@click.option(
    "--grid", is_flag=True, help="Put the first image of each run on a labelled sheet, DIR/grid.png."
)
@click.option("--report", is_flag=True, help="Write a page for a browser, DIR/index.html.")
@click.option("--resume", is_flag=True, help=f"Go on with the sweep in DIR/{MANIFEST}, if there is one.")
@click.option(
    "--background", is_flag=True, help="Keep the server's queue short, so that others come in between."
)
@click.option("--board", metavar="BOARD", help="The board for fields that say 'auto': its id or name.")
@click.option("--dry-run", is_flag=True, help="Check everything, and say how many runs it would be.")
@url_option
@json_option
def sweep(
    workflow: str,
    settings: tuple[str, ...],
    rows: Path | None,
    zipped: bool,
    repeat: int,
    random_seeds: bool,
    output: Path,
    grid: bool,
    report: bool,
    resume: bool,
    background: bool,
    board: str | None,
    dry_run: bool,
    url: str | None,
    as_json: bool,
) -> None:
    """Run a workflow with all combinations of values, and save the images as they come.

    What is done is kept in DIR/sweep.jsonl: after a crash the same command with --resume goes on where it stopped.

    \b
      ivk sweep portrait.json -s steps=10,20 -s seed=0..3 -s prompt=@p.txt --grid
    """
    with connect(url) as client:
        manifest = output / MANIFEST
        if resume and manifest.exists() and not dry_run:
            from invokeai_py_client import Sweep

            if settings or rows is not None:
                say(f"Going on with what {manifest} says; -s and --rows are not read.")
            _finish(Sweep.resume(manifest, client), output, grid, report, as_json)
            return
        if resume and not dry_run:
            say(f"There is no {manifest} to go on with: this is a new sweep.")
        handle = client.workflow_repo.create_workflow(workflow)
        for warning in handle.warnings:
            say(f"Note: {warning}")
        values, axes = _read(handle, settings)
        seed = "random" if random_seeds else None
        if rows is not None:
            if axes:
                raise UsageError(
                    "--rows and values that vary with -s do not go together; put them in the rows."
                )
            plan = handle.sweep_rows_plan(rows, repeat=repeat, seed=seed, values=values, auto_board=board)
        else:
            mode = "zip" if zipped else "product"
            plan = handle.sweep_plan(
                axes, mode=mode, repeat=repeat, seed=seed, values=values, auto_board=board
            )
        if dry_run:
            handle.check_sweep(plan)
        _announce(handle, plan, as_json)
        if dry_run:
            return
        started = handle.start_sweep(plan, manifest=manifest, background=background)
        _finish(started, output, grid, report, as_json)


def _read(handle: WorkflowHandle, settings: tuple[str, ...]) -> tuple[dict[Any, Any], dict[Any, Any]]:
    """The ``-s`` options: what holds for all runs, and what varies."""
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


def _announce(handle: WorkflowHandle, plan: SweepPlan, as_json: bool) -> None:
    seconds = handle.usual_seconds()
    if as_json:
        line = {"event": "plan", "runs": plan.count, "requests": len(plan.parts), "axes": list(plan.axes)}
        emit({**line, "seconds": None if seconds is None else round(seconds * plan.count, 1)})
        return
    over = f" over {', '.join(plan.axes)}" if plan.axes else ""
    about = ""
    if seconds is not None:
        about = (
            f", about {_duration(seconds * plan.count)} (the server's latest runs took {seconds:.1f} s each)"
        )
    say(f"{counted(plan.count, 'run')}{over}, in {counted(len(plan.parts), 'request')}{about}.")


def _save_grids(sweep: Sweep, folder: Path) -> list[Path]:
    """The sheet, ``grid.png``; or its pages, ``grid-1.png`` and so on."""
    paths: list[Path] = []
    for number, page in enumerate(sweep.grids(), 1):
        paths.append(folder / f"grid-{number}.png")
        page.save(paths[-1])
    return [paths[0].rename(folder / "grid.png")] if len(paths) == 1 else paths


def _finish(sweep: Sweep, output: Path, grid: bool, report: bool, as_json: bool) -> None:
    output.mkdir(parents=True, exist_ok=True)
    watched = sys.stdout.isatty()  # then a bar moves where the paths would stand

    def on_run(run: Run) -> None:
        saved = run.save(f"{literal_folder(output / 'images')}{sweep.index(run):04}-{{image}}.png")
        values = {name: run.inputs.get(name) for name in sweep.axes}
        if as_json:
            line = {"event": "run", "item_id": run.item_id, "state": run.status.state.value, "inputs": values}
            emit({**line, "seconds": run.seconds, "images": [str(path) for path in saved]})
            return
        if not watched:
            for path in saved:
                click.echo(path)
        if not run.status.ok:
            shown = ", ".join(f"{name} = {value}" for name, value in values.items())
            say(f"{shown}: {run.status}")

    try:
        sweep.wait(on_run=on_run, progress=None if as_json else True)
    except KeyboardInterrupt:
        sweep.cancel()
        say(f"Canceled. The same command with --resume goes on; {sweep.done} of {len(sweep)} runs are done.")
        raise
    failed = len(sweep.failed)
    made: list[Path] = []
    if grid:
        made += _save_grids(sweep, output)
    if report:
        made.append(sweep.report(output))
    if not as_json:
        for path in made:
            click.echo(path)
    if as_json:
        emit({"event": "result", "ok": not failed, "runs": len(sweep), "failed": failed})
    else:
        images = f", their images in {output / 'images'}" if watched else ""
        say(
            f"{len(sweep) - failed} of {len(sweep)} runs went well{images}; their record is {output / MANIFEST}."
        )
    if failed:
        sweep.failed[0].raise_if_failed()


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
