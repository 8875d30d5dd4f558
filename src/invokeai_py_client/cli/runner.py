"""Running a workflow on the command line: its progress, its images and videos, and its events."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from invokeai_py_client.cli.options import RunOptions, check_name, parse_settings, seed_of_options
from invokeai_py_client.cli.output import (
    after_run,
    echo,
    echo_bytes,
    emit,
    hint,
    is_local,
    is_quiet,
    open_file,
    say,
)
from invokeai_py_client.errors import TransferError, UsageError
from invokeai_py_client.files.atomic import check_writable
from invokeai_py_client.files.names import files_of, is_image_file, literal, literal_folder
from invokeai_py_client.recipes.values import joined_values

if TYPE_CHECKING:
    from invokeai_py_client import InvokeAIClient, Run
    from invokeai_py_client.run.events import RunEvent
    from invokeai_py_client.sweep.plan import SweepPlan
    from invokeai_py_client.workflow import WorkflowHandle


@dataclass(frozen=True, slots=True)
class Runner:
    """A workflow and the options of the command that runs it.

    Attributes:
        client: The client.
        handle: The workflow.
        options: The options that commands for runs have.
        template: The template for the files of the images, or None for standard output.
        prepend: Whether to add the runs to the front of the queue.
        board: The board for fields set to "auto", or None.
        advice: A hint to print at the end.
    """

    client: InvokeAIClient
    handle: WorkflowHandle
    options: RunOptions
    template: str | None
    prepend: bool = False
    board: str | None = None
    advice: str = ""

    def execute(
        self,
        more: Mapping[str, Any] | None = None,
        *,
        prepare: Callable[[Mapping[Any, Any]], object] | None = None,
    ) -> None:
        """Run the workflow once or several times, as the options say, or print the request.

        Args:
            more: The values of other options, by input. The ``-s`` options replace them. Defaults to none.
            prepare: Called with the values of a run, after they were checked and before anything is sent.
        """
        options = self.options
        if options.count > 1:
            plan = self._plan(more)
            if prepare is not None:
                prepare(self._values(more))
            self._run_plan(plan)
            return
        chosen = [f"seed={options.seed}"] * (options.seed is not None)
        values = self._values(more, *chosen, *["seed=random"] * options.random_seeds)
        if prepare is not None:
            prepare(values)
        if options.dry_run:
            emit(
                self.handle.enqueue_request(values, prepend=self.prepend, auto_board=self.board),
                None if options.as_json else 2,
            )
        else:
            self._run(values)

    def _values(self, more: Mapping[str, Any] | None, *settings: str) -> dict[Any, Any]:
        """Return the values of a single run, with more ``-s`` options than those of the command line."""
        parsed = parse_settings(self.handle, (*self.options.settings, *settings))
        values = joined_values(self.handle.inputs, more or {}, parsed)
        self._example(values)
        return values

    def _example(self, values: Mapping[Any, Any]) -> Path:
        """Return the path of the image of a run, as the template makes it."""
        inputs = self.handle.inputs.copy()
        inputs.set(values)
        return check_name(self.template or "", inputs)

    def _plan(self, more: Mapping[str, Any] | None) -> SweepPlan:
        """Return the plan of several runs with different seeds."""
        options = self.options
        settings, seed = seed_of_options(
            self.handle, options.settings, options.seed, options.random_seeds, options.count
        )
        values = joined_values(self.handle.inputs, more or {}, parse_settings(self.handle, settings))
        plan = self.handle.sweep_plan(repeat=options.count, seed=seed, values=values, auto_board=self.board)
        assert plan.inputs is not None
        assert self.template is not None
        check_name(self.template, plan.inputs, plan)
        return plan

    def _run(self, values: Mapping[Any, Any]) -> None:
        """Run the workflow once, show its progress, and save its images and videos."""
        if self.template is not None:
            check_writable(self._example(values))
        done = self._watched(values)
        if self.template is None:
            _write_file(done)
            if done.seed is not None:
                say(f"Seed: {done.seed}")
            return
        missing: TransferError | None = None
        with after_run("The run has completed, and its images are on the server."):
            files = [*done.images, *done.videos]
            try:
                paths = done.save(self.template)
                saved = {file.name: path for file, path in zip(files, paths, strict=True)}
            except TransferError as error:
                missing, saved = error, error.done
        for path in saved.values():
            if not self.options.as_json:
                echo(path)
        for path in saved.values() if self.options.opens else ():
            open_file(path)
        if self.options.as_json:
            made = {
                f"{kind}s": [{"name": name, "path": str(saved[name])} for name in names if name in saved]
                for kind, names in files_of(done)
                if names or kind == "image"
            }
            facts = {"item_id": done.item_id, "seed": done.seed, **made}
            emit({"event": "result", "ok": missing is None, **facts})
        elif done.seed is not None:
            say(f"Seed: {done.seed}")
        if missing is not None:
            if any(is_local(error) for error in missing.failed.values()):
                say("The run has completed, and its images are on the server.")
            raise missing
        if self.options.as_json:
            return
        if not saved:
            say("The run produced no images or videos.")
        elif self.advice:
            hint(self.advice)

    def _watched(self, values: Mapping[Any, Any]) -> Run:
        from invokeai_py_client.display import display_for

        item_id: int | None = None

        def on_event(event: RunEvent) -> None:
            nonlocal item_id
            item_id = event.item_id
            if self.options.as_json:
                emit(_plain(event, self.handle))
            elif display is not None:
                display.show(event)

        shows = not self.options.as_json and not is_quiet()
        bars = (
            display_for(self.handle.node_label, self.handle.node_count, preview=self.options.preview)
            if shows
            else nullcontext()
        )
        try:
            with bars as display:
                return self.handle.run(
                    values,
                    timeout=self.options.timeout,
                    progress=on_event,
                    prepend=self.prepend,
                    auto_board=self.board,
                )
        except KeyboardInterrupt:
            say("Canceled the run." if item_id is None else f"Canceled run {item_id}.")
            raise

    def _run_plan(self, plan: SweepPlan) -> None:
        """Run several runs, show their progress, and save their images."""
        from invokeai_py_client.cli.sweep import announce, follow, raise_if_incomplete

        assert self.template is not None
        announce(self.client, self.handle, plan, self.options.as_json, prepend=self.prepend)
        sweep = self.handle.start_sweep(plan, prepend=self.prepend)
        saved = follow(sweep, self.template, self.options.as_json)
        # follow() prints the paths only if they do not break its progress bar
        if sys.stdout.isatty() and not self.options.as_json:
            for path in saved.paths.values():
                echo(path)
        for path in saved.paths.values() if self.options.opens else ():
            open_file(path)
        failed, missing = sweep.failed, saved.error()
        if self.options.as_json:
            complete = not failed and missing is None
            emit({"event": "result", "ok": complete, "runs": len(sweep), "failed": len(failed)})
        else:
            say(f"Seeds: {', '.join(str(run.seed) for run in sweep.runs)}")
        raise_if_incomplete(sweep, missing)


def check_options(options: RunOptions, *, instead: str) -> str | None:
    """Check the options of a run before any request, and return the template for the files of the images.

    Args:
        options: The options.
        instead: What to do if several runs cannot be combined with other options, as a sentence.

    Returns:
        The template, or None for standard output.

    Raises:
        UsageError: The options cannot be combined, standard output is a terminal, or it cannot show previews.
    """
    from invokeai_py_client.display import check_preview

    options.check_count(instead)
    template = _template(options)
    check_preview(options.preview and not options.as_json)
    return template


def _template(options: RunOptions) -> str | None:
    output, name = options.output, options.name
    if output == "-":
        if options.as_json or name is not None or options.count > 1:
            raise UsageError("-o - writes one image to standard output, so it needs no --name, --json or -n.")
        if sys.stdout.isatty():
            raise UsageError(
                "-o - would write an image to the terminal. Redirect the output: -o - > image.png"
            )
        return None
    if not is_image_file(output):
        return f"{literal_folder(output)}{name or ''}"
    if name is not None:
        raise UsageError(
            f"-o {output} is a file, so --name has no effect. Use a folder: -o DIR --name {shlex.quote(name)}"
        )
    return literal(output)


def _write_file(run: Run) -> None:
    """Write the only image of a run to standard output, or the only video of a run without images.

    Raises:
        UsageError: The run has several of them, or neither.
    """
    files = run.images or run.videos
    if len(files) != 1:
        names = f" ({', '.join(file.name for file in files)})" if files else ""
        kind = "images" if run.images or not files else "videos"
        raise UsageError(
            f"The run produced {len(files)} {kind}{names}, but -o - writes exactly 1. Use a folder: -o DIR"
        )
    echo_bytes(files[0].bytes())


def _plain(event: RunEvent, handle: WorkflowHandle) -> dict[str, Any]:
    """Convert an event to a JSON object, without preview images and the raw payload."""
    line: dict[str, Any] = {"event": event.event_type}
    for field in fields(event):
        if field.name not in ("raw", "preview", "error_traceback"):
            line[field.name] = getattr(event, field.name)
    if "node_id" in line:
        line["node_label"] = handle.node_label(line["node_id"])
    return line
