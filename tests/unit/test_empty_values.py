"""An empty text or list is not "no value": neither on the command line nor in Python, and nothing is sent."""

from __future__ import annotations

import inspect
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import click
import pytest
from fake_server import FakeServer

from invokeai_py_client import AsyncInvokeAIClient
from invokeai_py_client._given import refuse_empty
from invokeai_py_client.administration.nodes import AsyncNodeRepository
from invokeai_py_client.administration.server import AsyncServerRepository
from invokeai_py_client.administration.state import AsyncStateRepository
from invokeai_py_client.board.handle import AsyncBoardHandle
from invokeai_py_client.board.repository import AsyncBoardRepository
from invokeai_py_client.cli.group import IvkCommand
from invokeai_py_client.cli.main import ivk
from invokeai_py_client.cli.names import read_names
from invokeai_py_client.cli.output import run_command
from invokeai_py_client.dnn_model.repository import AsyncDnnModelRepository
from invokeai_py_client.errors import UsageError
from invokeai_py_client.image.repository import AsyncImageRepository
from invokeai_py_client.models import IvkBoard
from invokeai_py_client.presets.repository import AsyncPresetRepository
from invokeai_py_client.prompts.repository import AsyncPromptRepository
from invokeai_py_client.queue.repository import AsyncQueueRepository
from invokeai_py_client.quick.client import AsyncQuickClient
from invokeai_py_client.user.repository import AsyncUserRepository
from invokeai_py_client.video.repository import AsyncVideoRepository
from invokeai_py_client.workflow.repository import AsyncWorkflowRepository

# --------------------------------------------------------------------------- the command line


def commands(command: click.Command = ivk, *words: str) -> Iterator[tuple[list[str], click.Command]]:
    """Yield all commands and groups with their words."""
    yield [*words], command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            one = command.get_command(context, name)
            assert one is not None
            yield from commands(one, *words, name)


def takes_text(parameter: click.Parameter) -> bool:
    is_switch = isinstance(parameter, click.Option) and parameter.is_flag
    return not is_switch and not isinstance(
        parameter.type, click.types.IntParamType | click.types.FloatParamType
    )


def empty_lines() -> Iterator[Any]:
    """Yield a command line with an empty value for each option and argument that takes a text."""
    for words, command in commands():
        arguments = [one for one in command.params if isinstance(one, click.Argument)]
        for parameter in filter(takes_text, command.params):
            if isinstance(parameter, click.Option):
                given = [*(["x"] * len(arguments)), parameter.opts[-1], ""]
            else:
                given = ["" if one is parameter else "x" for one in arguments]
            more = ["ls"] if isinstance(command, click.Group) else []
            yield pytest.param([*words, *given, *more], id=" ".join([*words, parameter.opts[-1]]))


@pytest.fixture
def no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a request fail with exit code 3."""
    monkeypatch.setenv("INVOKEAI_URL", "http://127.0.0.1:9")


@pytest.mark.usefixtures("no_server")
@pytest.mark.parametrize("line", list(empty_lines()))
def test_an_empty_value_is_a_usage_error(line: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(ivk, line) == 2
    shown = capsys.readouterr()
    assert "the value is empty" in shown.err
    assert shown.out == ""


def test_the_command_lines_cover_the_options_that_select_something() -> None:
    lines = [" ".join(one.values[0]) for one in empty_lines()]
    for line in (
        "images ls --board ",
        "images ls --search ",
        "images rm x --board ",
        "queue cancel x --batch ",
        "models ls --type ",
        "images --url  ls",
    ):
        assert line in lines
    assert len(lines) > 100


@pytest.mark.parametrize("value", [" ", "\t\n"])
@pytest.mark.usefixtures("no_server")
def test_white_space_is_empty_and_json_says_so(value: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(ivk, ["images", "ls", "--json", "--search", value]) == 2
    event = json.loads(capsys.readouterr().out)
    assert (event["event"], event["code"]) == ("error", "usage")
    assert event["message"].startswith(f"Invalid option --search {value!r}: the value is empty.")


def test_all_commands_check_their_values() -> None:
    assert [words for words, command in commands() if not isinstance(command, IvkCommand)] == []


def test_an_empty_name_on_standard_input_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("invokeai_py_client.cli.names.read_stdin", lambda: '{"name": "a"}\n{"name": ""}')
    with pytest.raises(UsageError, match="name on standard input is empty"):
        read_names(["-"])


# --------------------------------------------------------------------------- Python


async def _all(values: AsyncIterator[Any]) -> list[Any]:
    return [value async for value in values]


def calls(area: str, method: str, *given: Any, **fixed: Any) -> Callable[[Any, str, Any], Any]:
    """Return a function that calls a method with one more argument."""

    def call(areas: dict[str, Any], name: str, value: Any) -> Any:
        function = getattr(areas[area], method)
        parameter = inspect.signature(function).parameters[name]
        is_optional = parameter.default is None or "None" in str(parameter.annotation)
        result = function(*given, **fixed, **{name: value})
        return _advised(result if inspect.isawaitable(result) else _all(result), is_optional)

    return call


async def _advised(result: Awaitable[Any], is_optional: bool) -> Any:
    """Check that an error advises to omit an argument only if that is possible."""
    try:
        return await result
    except UsageError as error:
        assert is_optional or "Omit" not in str(error)
        raise


SDXL = {"positive_prompt": "a", "negative_prompt": "", "width": 64, "height": 64}
# Parameters by method: those that refuse "", and those that refuse an empty list as well.
TEXTS: list[tuple[Callable[..., Any], list[str]]] = [
    (calls("images", "list_images"), ["board_id", "categories", "search_term", "since", "until"]),
    (calls("images", "iter_images"), ["board_id", "categories", "search_term", "since", "until"]),
    (calls("images", "count_images"), ["board_id", "categories", "search_term"]),
    (calls("images", "upload", b"x"), ["board_id", "image_category", "filename", "session_id"]),
    (calls("images", "upload_images", [b"x"]), ["board_id", "image_category"]),
    (calls("images", "update", "a.png"), ["image_category", "session_id"]),
    (calls("images", "download_images", "a.png", "x"), ["template"]),
    (calls("images", "bulk_download", "x.zip"), ["board_id", "image_names"]),
    (calls("images", "move", "a.png"), ["board_id"]),
    (calls("images", "copy", "a.png"), ["board_id"]),
    *((calls("images", method), ["image_names"]) for method in ("star", "unstar", "delete", "get_images")),
    *(
        (calls("images", method), ["image_name"])
        for method in ("get_image", "find_image", "get_metadata", "get_workflow", "get_graph", "download")
    ),
    (calls("videos", "list_videos"), ["board_id", "categories", "search_term", "since", "until"]),
    (calls("videos", "list_names"), ["board_id", "categories", "search_term"]),
    (calls("videos", "count_videos"), ["board_id", "categories", "search_term"]),
    (calls("videos", "upload", b"ftyp"), ["board_id", "video_category", "filename", "session_id"]),
    (calls("videos", "update", "a.mp4"), ["video_category", "session_id"]),
    (calls("videos", "download_videos", "a.mp4", "x"), ["template"]),
    (calls("videos", "move", "a.mp4"), ["board_id"]),
    *((calls("videos", method), ["video_names"]) for method in ("star", "unstar", "delete", "get_videos")),
    *(
        (calls("videos", method), ["video_name"])
        for method in (
            "get_video",
            "find_video",
            "get_metadata",
            "get_workflow",
            "get_graph",
            "download",
            "thumbnail",
        )
    ),
    (calls("boards", "create_board"), ["name"]),
    (calls("boards", "update_board", "b"), ["name", "cover_image_name", "board_visibility"]),
    (calls("boards", "update_board", name="x"), ["board_id"]),
    (calls("boards", "delete_board"), ["board_id"]),
    (calls("boards", "get_board"), ["board"]),
    (calls("boards", "find_board"), ["board"]),
    (calls("boards", "get_board_handle"), ["board_id"]),
    (calls("boards", "get_board_by_id"), ["board_id"]),
    (calls("boards", "get_boards_by_name"), ["name"]),
    (calls("boards", "get_board_handle_by_name"), ["name"]),
    (calls("models", "list_models"), ["base", "type", "name", "format"]),
    (calls("models", "list_starter_models"), ["base", "type"]),
    (calls("models", "install_starter_model", "a"), ["access_token"]),
    (calls("models", "install_starter_model"), ["name"]),
    (calls("models", "install_model", "a/b"), ["access_token"]),
    (calls("models", "install_model"), ["source"]),
    (calls("models", "scan_folder"), ["scan_path"]),
    (calls("models", "hf_login"), ["token"]),
    *((calls("models", method), ["model"]) for method in ("get_model", "find_model")),
    *((calls("models", method), ["key"]) for method in ("delete_model", "convert_model", "get_model_by_key")),
    (calls("workflows", "list_workflows"), ["query", "categories"]),
    *((calls("workflows", method), ["name_or_id"]) for method in ("get_workflow", "find_workflow")),
    (calls("workflows", "create_workflow"), ["source"]),
    (calls("workflows", "image_workflow"), ["model", "image"]),
    (calls("workflows", "image_workflow", image=True), ["mask"]),
    (calls("client", "generate"), ["prompt"]),
    (calls("client", "generate", "a fox"), ["model", "board", "size", "image"]),
    (calls("client", "generate", "a fox", image="a.png"), ["mask"]),
    (calls("workflows", "delete_workflow"), ["workflow_id"]),
    (calls("queue", "items"), ["status", "batch_id", "destination", "queue_id"]),
    (calls("queue", "cancel_batches"), ["batch_ids"]),
    (calls("queue", "batch_status"), ["batch_id"]),
    *(
        (calls("queue", method), ["destination"])
        for method in ("destination_status", "cancel_destination", "delete_destination")
    ),
    *(
        (calls("queue", method), ["queue_id"])
        for method in ("status", "clear", "prune", "pause", "current", "next_item", "item_ids")
    ),
    (calls("board", "list_images"), ["categories", "search_term"]),
    (calls("board", "list_image_names"), ["categories"]),
    (calls("board", "upload_image_data", b"x"), ["filename", "image_category"]),
    *(
        (calls("board", method), ["image_name"])
        for method in (
            "star_image",
            "unstar_image",
            "delete_image",
            "remove_image",
            "add_image",
            "download_image",
        )
    ),
    (calls("board", "move_image_to", "a.png"), ["target_board_id"]),
    (calls("models", "get_model_by_hash"), ["hash"]),
    (calls("models", "install_starter_bundle"), ["name"]),
    (calls("models", "delete_orphaned"), ["paths"]),
    (calls("models", "get_model_by_name", base="sd-1", type="main"), ["name"]),
    (calls("models", "get_model_by_name", name="a", type="main"), ["base"]),
    (calls("models", "get_model_by_name", name="a", base="sd-1"), ["type"]),
    (calls("workflows", "set_picture", "a"), ["image"]),
    (calls("presets", "create_preset"), ["name"]),
    (calls("presets", "update_preset", "a"), ["name"]),
    (calls("prompts", "expand", "a fox"), ["system_prompt"]),
    (calls("prompts", "expand"), ["prompt"]),
    (calls("prompts", "create_system_prompt", content="a"), ["name"]),
    (calls("prompts", "create_system_prompt", "a"), ["content"]),
    (calls("users", "create_user", password="Secret-1"), ["email"]),
    (calls("users", "create_user", "a@example.org", "Secret-1"), ["display_name"]),
    (calls("client", "update_me"), ["display_name"]),
    (calls("client", "change_password", old_password="a"), ["new_password"]),
    (calls("nodes", "install_pack"), ["source"]),
    (calls("nodes", "uninstall_pack"), ["pack"]),
    (calls("nodes", "list_nodes"), ["pack", "category"]),
    (calls("server", "get_font"), ["font"]),
    (calls("server", "set_provider", base_url="http://a"), ["provider"]),
    (calls("server", "set_provider", "openai"), ["api_key", "base_url"]),
    *((calls("state", method), ["key"]) for method in ("get", "delete")),
    (calls("quick", "generate_image_sdxl_t2i", **SDXL), ["model_name", "scheduler", "board_id"]),
    (calls("quick", "copy_image_to_board", "a.png"), ["target_board_id"]),
    (calls("quick", "copy_image_to_board", target_board_id="b"), ["image_name"]),
]
LISTS = [
    (calls("images", "list_images"), "categories"),
    (calls("images", "count_images"), "categories"),
    (calls("board", "list_images"), "categories"),
    (calls("board", "list_image_names"), "categories"),
    *(
        (calls("workflows", method), "categories")
        for method in ("list_workflows", "list_tags", "count_by_tag", "count_by_category")
    ),
]


class Server(FakeServer):
    """A server whose parts are the real repositories."""

    def part(self, kind: type[Any]) -> Any:
        return kind(self.connection)


@pytest.fixture
def server() -> FakeServer:
    return Server()


@pytest.fixture
def areas(server: FakeServer) -> dict[str, Any]:
    connection = server.connection
    quick: Any = AsyncQuickClient.__new__(AsyncQuickClient)
    quick.connection = connection
    client: Any = AsyncInvokeAIClient.__new__(AsyncInvokeAIClient)
    client.connection = connection
    return {
        "client": client,
        "images": AsyncImageRepository(connection),
        "videos": AsyncVideoRepository(connection),
        "boards": AsyncBoardRepository(connection),
        "models": AsyncDnnModelRepository(connection),
        "workflows": AsyncWorkflowRepository(connection),
        "queue": AsyncQueueRepository(connection),
        "quick": quick,
        "users": AsyncUserRepository(connection),
        "prompts": AsyncPromptRepository(connection),
        "presets": AsyncPresetRepository(connection),
        "nodes": AsyncNodeRepository(connection),
        "server": AsyncServerRepository(connection),
        "state": AsyncStateRepository(connection),
        "board": AsyncBoardHandle(AsyncBoardRepository(connection), IvkBoard(board_id="b", board_name="B")),
    }


@pytest.mark.parametrize("value", ["", "  "])
@pytest.mark.parametrize(("call", "name"), [(call, name) for call, names in TEXTS for name in names])
async def test_an_empty_text_is_refused_before_anything_is_sent(
    areas: dict[str, Any], server: FakeServer, call: Callable[..., Any], name: str, value: str
) -> None:
    with pytest.raises(UsageError):
        await call(areas, name, value)
    assert server.asked == []


@pytest.mark.parametrize(("call", "name"), LISTS)
@pytest.mark.parametrize("value", [[], (), ["user", " "]])
async def test_an_empty_list_is_refused_before_anything_is_sent(
    areas: dict[str, Any], server: FakeServer, call: Callable[..., Any], name: str, value: Any
) -> None:
    with pytest.raises(UsageError, match="is empty; expected at least one value"):
        await call(areas, name, value)
    assert server.asked == []


async def test_one_empty_batch_among_others_is_refused(areas: dict[str, Any], server: FakeServer) -> None:
    with pytest.raises(UsageError, match="batch_ids"):
        await areas["queue"].cancel_batches(["a", ""])
    assert server.asked == []


def test_the_message_names_the_argument_and_the_way_out() -> None:
    refuse_empty(a=None, b="x", c=["x"], d=0, e={}, f=b"")
    with pytest.raises(UsageError) as caught:
        refuse_empty(board_id="")
    assert str(caught.value) == (
        "board_id: '' is empty; expected a text that is not empty. Omit board_id, or pass None, if you mean no value."
    )


async def test_the_message_says_what_to_pass_for_a_required_name(areas: dict[str, Any]) -> None:
    with pytest.raises(UsageError) as caught:
        await areas["images"].delete("")
    assert str(caught.value) == "image_name: '' is empty; expected the name of an image."
    with pytest.raises(UsageError) as caught:
        await areas["videos"].find_video(" ")
    assert str(caught.value) == "video_name: ' ' is empty; expected the name of a video."


def test_an_empty_profile_is_refused() -> None:
    with pytest.raises(UsageError, match="profile: '' is empty"):
        AsyncInvokeAIClient.from_url(profile="")
