"""The commands that ``ivk images`` and ``ivk videos`` have in common."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from invokeai_py_client.cli.names import find_board, find_files, read_names, wanted_files
from invokeai_py_client.cli.output import confirm, counted, echo, echo_bytes, emit, hint, is_watched, say
from invokeai_py_client.cli.progress import counting_bar, of_transfer, waiting
from invokeai_py_client.cli.tables import Column, screenful, show_facts, show_table, time_of
from invokeai_py_client.errors import TransferError, UsageError
from invokeai_py_client.files.names import is_image_file

if TYPE_CHECKING:
    from invokeai_py_client import InvokeAIClient
    from invokeai_py_client.models import IvkImage, IvkVideo

NAMES = click.argument("names", metavar="NAMES...", nargs=-1, required=True)
"""The argument for names on the server, or - for those on standard input."""


@dataclass(frozen=True, slots=True)
class Media:
    """The commands for one kind of file in the gallery.

    Attributes:
        kind: The kind, also in messages and in JSON.
    """

    kind: Literal["image", "video"]

    def repo(self, client: InvokeAIClient) -> Any:
        """Return the repository: both have the same methods, named after the kind."""
        return client.images if self.kind == "image" else client.videos

    def find(self, client: InvokeAIClient, names: Sequence[str]) -> list[Any]:
        """Return the records of the names, or raise an error that lists the missing ones."""
        return find_files(client, names, self.kind)

    # ------------------------------------------------------------------ commands

    def list(
        self,
        client: InvokeAIClient,
        board: str | None,
        category: str | None,
        starred: bool,
        since: str | None,
        until: str | None,
        search: str | None,
        intermediates: bool,
        limit: int | None,
        as_json: bool,
    ) -> None:
        """Print a list, newest first."""
        most = screenful(limit, as_json)
        listing: Callable[..., Any] = (
            client.images.list_images if self.kind == "image" else client.videos.list_videos
        )
        found = listing(
            board_id=None if board is None else find_board(client, board),
            categories=category,
            starred=True if starred else None,
            since=since,
            until=until,
            search_term=search,
            is_intermediate=intermediates,
            limit=None if most is None else most + 1,
        )
        more = most is not None and len(found) > most
        found = found[:most]
        if as_json:
            for file in found:
                self._emit(file.name, file.to_dict())
            self._result(len(found), more=more)
            return
        named = {one.board_id: one.board_name for one in client.boards.list_boards(include_archived=True)}
        columns = [
            Column(self.kind),
            Column("created"),
            Column("size"),
            *([Column("length", right=True)] if self.kind == "video" else []),
            Column("board", whole=False),
            Column("category", wide=True),
        ]
        if found or not is_watched(sys.stdout):
            show_table(columns, [self._row(file, named) for file in found])
        self._say_how_many(len(found), more, limit)

    def get(
        self,
        client: InvokeAIClient,
        names: tuple[str, ...],
        output: str,
        template: str | None,
        *,
        thumbnails: bool,
        overwrite: bool,
        as_json: bool,
    ) -> None:
        """Download files, and print their paths.

        Raises:
            UsageError: The options contradict each other.
        """
        wanted = read_names(names)
        is_file = output == "-" or is_image_file(output)
        if is_file and (template is not None or len(wanted) != 1):
            raise UsageError(
                f"-o {output} is for one {self.kind} and has no template. Use a folder instead: -o DIR"
            )
        if output == "-" and as_json:
            raise UsageError(
                f"-o - writes the {self.kind} to standard output, so it cannot be combined with --json."
            )
        if is_file:
            [file] = self.find(client, wanted)
            self._get_file(client, file.name, output, thumbnail=thumbnails, as_json=as_json)
            return
        found = wanted_files(client, wanted, self.kind)
        download: Callable[..., Any] = (
            client.images.download_images if self.kind == "image" else client.videos.download_videos
        )
        with counting_bar("Downloading", len(found), as_json) as advance:
            try:
                paths = download(
                    found,
                    output,
                    template=template or f"{{{self.kind}}}",
                    full_resolution=not thumbnails,
                    overwrite=overwrite,
                    on_progress=of_transfer(advance),
                )
            except TransferError as error:
                self._print_downloaded(error.done, as_json)
                raise
        self._print_downloaded(dict(zip(wanted, paths, strict=True)), as_json)
        if as_json:
            self._result(len(paths))

    def put(
        self, client: InvokeAIClient, sources: Sequence[Any], board: str | None, category: str, as_json: bool
    ) -> None:
        """Upload files, and print their names on the server."""
        target = None if board is None else find_board(client, board)
        upload: Callable[..., Any] = (
            client.images.upload_images if self.kind == "image" else client.videos.upload_videos
        )
        with counting_bar("Uploading", len(sources), as_json) as advance:
            try:
                uploaded = upload(
                    sources,
                    board_id=target,
                    **{f"{self.kind}_category": category},
                    on_progress=of_transfer(advance),
                )
            except TransferError as error:
                for source, record in error.done.items():
                    self._print_uploaded(source, record, as_json)
                raise
        for source, record in zip(sources, uploaded, strict=True):
            self._print_uploaded(str(source), record, as_json)
        if as_json:
            self._result(len(uploaded))
        where = f" to {board!r}" if target is not None and target.board_id != "none" else ""
        hint(
            f"Uploaded {counted(len(uploaded), self.kind)}{where}. Use a name as an input: "
            f"ivk run FILE -s {self.kind}=NAME",
            as_json,
        )

    def info(
        self, client: InvokeAIClient, name: str, part: str | None, as_json: bool, advice: str = ""
    ) -> None:
        """Print a record and its metadata, or the embedded workflow or graph."""
        [record] = self.find(client, [name])
        repo = self.repo(client)
        if part is not None:
            document = repo.get_workflow(name) if part == "workflow" else repo.get_graph(name)
            if document is None:
                raise UsageError(f"The {self.kind} {name} has no embedded {part}.")
            emit(document, None if as_json else 2)
            return
        metadata: dict[str, Any] = repo.get_metadata(name) or {}
        if as_json:
            emit({"event": "result", "ok": True, "name": name, **record.to_dict(), "metadata": metadata})
            return
        show_facts(self._facts(client, record))
        if metadata:
            echo()
            show_facts({key: value for key, value in metadata.items() if key not in ("graph", "workflow")})
        if record.has_workflow and advice:
            hint(advice)

    def change(self, verb: str, change: Callable[[], list[str]], as_json: bool) -> None:
        """Change files, and print which were changed, also if others were not.

        Args:
            verb: Past participle for the report, such as "Deleted".
            change: Makes the change. Returns the names.
            as_json: Whether to print JSON.
        """
        try:
            names = change()
        except TransferError as error:
            self._report(verb, list(error.done), as_json)
            raise
        self._report(verb, names, as_json)
        if as_json:
            self._result(len(names))

    def star(self, client: InvokeAIClient, names: tuple[str, ...], as_json: bool) -> None:
        """Star files."""
        found = self.find(client, read_names(names))
        self.change("Starred", lambda: self.repo(client).star(found), as_json)

    def unstar(self, client: InvokeAIClient, names: tuple[str, ...], as_json: bool) -> None:
        """Unstar files."""
        found = self.find(client, read_names(names))
        self.change("Unstarred", lambda: self.repo(client).unstar(found), as_json)

    def move(self, client: InvokeAIClient, names: tuple[str, ...], board: str, as_json: bool) -> None:
        """Move files to a board."""
        wanted = read_names(names)
        target = find_board(client, board)
        found = self.find(client, wanted)
        self.change("Moved", lambda: self.repo(client).move(found, target), as_json)
        hint(f"List them: ivk {self.kind}s ls --board {shlex.quote(board)}", as_json)

    def delete(
        self, client: InvokeAIClient, names: Sequence[str], board: str | None, yes: bool, as_json: bool
    ) -> None:
        """Delete files by their names, or those on a board, after a confirmation."""
        if board:
            record = find_board(client, board)
            found: list[Any] = (
                client.images.list_images(board_id=record, is_intermediate=None)
                if self.kind == "image"
                else client.videos.list_videos(board_id=record, is_intermediate=None)
            )
            where = f" on {record.board_name!r}"
        else:
            found, where = self.find(client, names), ""
        self.delete_found(client, found, f"{counted(len(found), self.kind)}{where}", yes, as_json)

    def delete_found(
        self, client: InvokeAIClient, found: Sequence[Any], what: str, yes: bool, as_json: bool
    ) -> None:
        """Delete files after a confirmation.

        Args:
            client: The client.
            found: The records.
            what: What is deleted, for the question.
            yes: Whether to skip the question.
            as_json: Whether to print JSON.
        """
        if found:
            confirm(f"Delete {what}? This cannot be undone.", yes)
        with waiting("Deleting", as_json):
            self.change("Deleted", lambda: self.repo(client).delete(found), as_json)

    # ------------------------------------------------------------------ output

    def _row(self, file: Any, boards: Mapping[str, str]) -> list[str]:
        star = "★ " if file.starred else ""
        return [
            file.name,
            time_of(file.created_at),
            f"{file.width}×{file.height}",
            *([_length(file)] if self.kind == "video" else []),
            star + boards.get(file.board_id or "", file.board_id or ""),
            str(file.image_category if self.kind == "image" else file.video_category),
        ]

    def _say_how_many(self, count: int, more: bool, limit: int | None) -> None:
        command = f"ivk {self.kind}s"
        if not count:
            hint(f"No {self.kind}s. Upload some: {command} put FILES...")
        elif more and limit is None:
            hint(f"Showing the newest {count}; use -n for more. Download them: {command} get NAMES... -o DIR")
        else:
            hint(f"{counted(count, self.kind)}. Download them: {command} get NAMES... -o DIR")

    def _get_file(
        self, client: InvokeAIClient, name: str, output: str, *, thumbnail: bool, as_json: bool
    ) -> None:
        """Download one file, or write it to standard output."""
        if output == "-":
            file = client.images.image(name) if self.kind == "image" else client.videos.video(name)
            echo_bytes(file.thumbnail() if thumbnail else file.bytes())
            return
        path = self.repo(client).download_to(name, output, full_resolution=not thumbnail)
        self._print_downloaded({name: path}, as_json)
        if as_json:
            self._result(1)

    def _print_downloaded(self, paths: Mapping[str, Path], as_json: bool) -> None:
        for name, path in paths.items():
            if as_json:
                self._emit(name, {"path": str(path)})
            else:
                echo(path)

    def _print_uploaded(self, source: str, record: IvkImage | IvkVideo, as_json: bool) -> None:
        if as_json:
            self._emit(record.name, {"file": source, **record.to_dict()})
        else:
            echo(record.name)

    def _facts(self, client: InvokeAIClient, record: Any) -> dict[str, Any]:
        board = client.boards.get_board_by_id(record.board_id) if record.board_id else None
        is_video = self.kind == "video"
        return {
            self.kind: record.name,
            "size": f"{record.width}×{record.height}",
            **({"length": _length(record), "frames per second": record.fps} if is_video else {}),
            "created": record.created_at,
            "category": str(record.video_category if is_video else record.image_category),
            "origin": str((record.video_origin if is_video else record.image_origin) or ""),
            "board": board.board_name if board else None,
            "starred": record.starred,
            "has workflow": record.has_workflow,
            "session": record.session_id,
            "url": record.url,
        }

    def _report(self, verb: str, names: list[str], as_json: bool) -> None:
        for name in names if as_json else ():
            self._emit(name, {})
        if not as_json:
            say(f"{verb} {counted(len(names), self.kind)}.")

    def _emit(self, name: str, facts: Mapping[str, Any]) -> None:
        emit({"event": self.kind, "name": name, **facts})

    def _result(self, count: int, **facts: Any) -> None:
        emit({"event": "result", "ok": True, f"{self.kind}s": count, **facts})


def _length(video: Any) -> str:
    return "" if video.duration is None else f"{video.duration:.1f} s"


IMAGES, VIDEOS = Media("image"), Media("video")
