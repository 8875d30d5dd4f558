"""Every operation of the server, called through ``client.api``."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest
from multi_user import ADMIN, ANN, Users
from tests.conftest import RealServer

from invokeai_py_client import APIRequestError, AsyncInvokeAIClient, FormFile, InvokeAIClient
from invokeai_py_client.api.operations import OPERATIONS
from invokeai_py_client.errors import NotFoundError, ServerTooOldError

VIDEO = Path(__file__).parents[1] / "data" / "tiny.mp4"
QUEUE = "default"

# Operations that these tests do not call, each with its reason.
NOT_CALLED = {
    "bulk_delete_models": "deletes models of the test session",
    "cancel_model_install_job": "the tests of installations call it",
    "clear_intermediates": "deletes images of other tests",
    "convert_model": "the tests of models call it",
    "delete_model": "the tests of models call it",
    "delete_uncategorized_images": "deletes images of other tests",
    "delete_uncategorized_videos": "deletes videos of other tests",
    "do_hf_login": "needs an account of Hugging Face",
    "install_custom_node_pack": "needs a git repository",
    "install_hugging_face_model": "needs huggingface.co",
    "install_model": "the tests of installations call it",
    "pause_model_install_job": "the tests of installations call it",
    "prune_model_install_jobs": "the tests of installations call it",
    "reset_hf_token": "needs an account of Hugging Face",
    "resume_model_install_job": "the tests of installations call it",
    "start_image_move": "other requests fail with status 409 while images are moved",
    "start_image_move_recovery": "other requests fail with status 409 while images are moved",
}
# The server has these only with user accounts.
OF_ACCOUNTS = {name for name, operation in OPERATIONS.items() if operation.multi_user} | {
    "login",
    "setup_admin",
    "refresh_media_cookie",
}


class Recorder:
    """The operations of a client. Remembers which were called."""

    def __init__(self, client: AsyncInvokeAIClient, server: RealServer | None = None) -> None:
        self._api = client.api
        self._server = server
        self.called: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        self.called.add(name)
        return getattr(self._api, name)

    def has(self, name: str) -> bool:
        """Whether the server has an operation."""
        since = OPERATIONS[name].since
        return since is None or self._server is None or not self._server.is_before(since)

    def check(self, response: Any, key: str, names: list[str]) -> None:
        """Check the names of changed images. 5.15 has other keys, or an empty response."""
        if self.has("get_image_names"):
            assert response[key] == names
        elif response is not None:
            assert names in response.values()

    async def refused(self, status: int, name: str, *args: Any, **kwargs: Any) -> None:
        """Call an operation that the server refuses, because what it is about does not exist."""
        with pytest.raises(APIRequestError) as caught:
            await getattr(self, name)(*args, **kwargs)
        assert caught.value.status_code == status, caught.value
        assert OPERATIONS[name].path.partition("{")[0] in caught.value.path


def workflow(name: str, **more: Any) -> dict[str, Any]:
    plain = ("author", "description", "version", "contact", "notes")
    meta = {"category": "user", "version": "3.0.0"}
    return {**dict.fromkeys(plain, ""), "name": name, "tags": "api", "exposedFields": [], "meta": meta} | {
        "nodes": [],
        "edges": [],
        "form": None,
        **more,
    }


def batch(destination: str) -> dict[str, Any]:
    node = {"id": "n", "type": "integer", "value": 1}
    return {"graph": {"id": "g", "nodes": {"n": node}, "edges": []}, "runs": 1, "destination": destination}


async def test_every_operation_works(
    async_client: AsyncInvokeAIClient, server: RealServer, picture: bytes
) -> None:
    api = Recorder(async_client, server)
    png = FormFile(picture, "a.png", "image/png")
    await use_app(api)
    await use_images(api, png)
    await use_videos(api)
    await use_presets(api, png)
    await use_models(api, png)
    await use_workflows(api, png)
    await use_queue(api)
    assert api.called.isdisjoint(NOT_CALLED)
    assert api.called == {name for name in OPERATIONS if api.has(name)} - NOT_CALLED.keys() - OF_ACCOUNTS


async def use_app(api: Recorder) -> None:
    assert (await api.app_version())["version"]
    assert "torch" in await api.get_app_deps()
    config = (await api.get_runtime_config())["config"]
    level = await api.get_log_level()
    assert await api.set_log_level(body=level) == level
    await api.clear_invocation_cache()
    await api.disable_invocation_cache()
    assert (await api.get_invocation_cache_status())["enabled"] is False
    await api.enable_invocation_cache()
    assert (await api.parse_dynamicprompts(prompt="a {b|c}", combinatorial=True))["prompts"] == ["a b", "a c"]
    if api.has("set_client_state"):
        await api.set_client_state(QUEUE, key="ivk-api", body="seven")
        assert await api.get_client_state_by_key(QUEUE, key="ivk-api") == "seven"
    if api.has("get_patchmatch_status"):
        assert isinstance(await api.get_patchmatch_status(), bool)
    if api.has("update_recall_parameters"):
        assert (await api.get_setup_status())["multiuser_enabled"] is False
        assert (await api.update_recall_parameters("ivk-api-queue", positive_prompt="a cat"))["status"]
        assert (await api.get_recall_parameters("ivk-api-queue"))["status"]
    if api.has("update_runtime_config"):
        await use_newer_app(api, config)
    if api.has("delete_client_state"):
        await api.delete_client_state("ivk-api-queue")
    if api.has("list_user_fonts"):
        assert {"device": "cpu", "name": "CPU"} in await api.get_generation_device_options()
        assert (await api.get_image_move_status())["is_running"] is False
        assert await api.list_user_fonts() == {"fonts": []}
        await api.refused(404, "get_user_font_file", "folder/none.ttf")


async def use_newer_app(api: Recorder, config: Any) -> None:
    """Call the operations that were added in 6.13."""
    kept = config["image_subfolder_strategy"]
    changed = await api.update_runtime_config(image_subfolder_strategy=kept)
    assert changed["config"]["image_subfolder_strategy"] == kept
    # Null means no limit, and a field that is not sent stays as it is.
    history = config["max_queue_history"]
    changed = await api.update_runtime_config(max_queue_history=5)
    assert changed["config"]["max_queue_history"] == 5
    changed = await api.update_runtime_config(extra={"max_queue_history": history})
    assert changed["config"]["max_queue_history"] == history
    assert await api.get_external_provider_statuses()
    await api.set_external_provider_config("openai", api_key="sk-not-a-key")
    configs = {one["provider_id"]: one for one in await api.get_external_provider_configs()}
    assert configs["openai"]["api_key_configured"] is True
    assert (await api.reset_external_provider_config("openai"))["api_key_configured"] is False
    assert isinstance((await api.list_custom_node_packs())["node_packs"], list)
    await api.refused(200, "uninstall_custom_node_pack", "no-such-pack")  # {"success": false}
    assert "status" in await api.reload_custom_nodes()
    await api.refused(404, "expand_prompt", prompt="a", model_key="none")
    await api.refused(404, "image_to_prompt", image_name="none.png", model_key="none")
    assert await api.get_client_state_keys_by_prefix(QUEUE, prefix="ivk-") == ["ivk-api"]
    await api.delete_client_state_by_key(QUEUE, key="ivk-api")


async def use_images(api: Recorder, png: FormFile) -> None:
    size = len(png.data) if isinstance(png.data, bytes) else 0
    board = (await api.create_board(board_name="api"))["board_id"]
    made = await api.upload_image(
        image_category="user", is_intermediate=False, board_id=board, file=png, metadata='{"seed": 7}'
    )
    name = made["image_name"]
    assert (await api.get_image_dto(name))["board_id"] == board
    assert await api.get_image_metadata(name) == {"seed": 7}
    assert await api.get_image_workflow(name) == {"workflow": None, "graph": None}
    assert (await api.get_image_full(name))[:4] == b"\x89PNG"
    assert (await api.get_image_full_head(name))["content-type"] == "image/png"
    assert (await api.get_image_thumbnail(name))[:4] == b"RIFF"
    async with api.get_image_full_stream(name) as download:
        assert download.content_type == "image/png"
        content = b"".join([chunk async for chunk in download])
    api.called -= {"get_image_full_stream"}
    assert content[:4] == b"\x89PNG"
    assert size
    assert (await api.get_image_urls(name))["image_name"] == name
    assert (await api.update_image(name, starred=True))["starred"] is True
    api.check(await api.unstar_images_in_list(image_names=[name]), "unstarred_images", [name])
    api.check(await api.star_images_in_list(image_names=[name]), "starred_images", [name])
    assert (await api.list_image_dtos(board_id=board, limit=5))["total"] == 1
    if api.has("get_image_names"):
        assert (await api.get_image_names(board_id=board, categories=["user"]))["image_names"] == [name]
        assert [one["image_name"] for one in await api.get_images_by_names(image_names=[name])] == [name]
    if api.has("list_virtual_boards_by_date"):
        days = [one["date"] for one in await api.list_virtual_boards_by_date()]
        assert (await api.list_virtual_board_image_names_by_date(days[0]))["total_count"] >= 1
    if api.has("list_gallery_items"):
        assert (await api.list_gallery_items(board_id=board))["total"] == 1
        assert (await api.list_gallery_item_names(board_id=board))["item_names"] == [name]
        items = [{"kind": "image", "name": name}]
        assert (await api.get_gallery_item_names(board_id=board))["items"] == items
        day = (await api.list_virtual_boards_by_date())[0]["date"]
        assert (await api.list_virtual_board_item_names_by_date(day))["total_count"] >= 1
    started = await api.download_images_from_list(image_names=[name])
    assert started["bulk_download_item_name"]
    await api.refused(404, "get_bulk_download_item", "none.zip")
    entry = {"width": 8, "height": 8}
    await api.refused(501, "create_image_upload_entry", **entry)
    assert await api.get_intermediates_count() >= 0
    api.check(await api.remove_images_from_board(image_names=[name]), "removed_images", [name])
    api.check(await api.add_images_to_board(board_id=board, image_names=[name]), "added_images", [name])
    api.check(await api.remove_image_from_board(image_name=name), "removed_images", [name])
    api.check(await api.add_image_to_board(board_id=board, image_name=name), "added_images", [name])
    assert await api.list_all_board_image_names(board) == [name]
    record = await api.get_board(board)
    assert record["image_count"] + record.get("asset_count", 0) == 1  # the latter was added in 6.3
    assert (await api.update_board(board, archived=True))["archived"] is True
    assert board in [one["board_id"] for one in await api.list_boards(all=True, include_archived=True)]
    other = await api.upload_image(image_category="user", is_intermediate=False, board_id=board, file=png)
    api.check(await api.delete_image(other["image_name"]), "deleted_images", [other["image_name"]])
    api.check(await api.delete_images_from_list(image_names=[name]), "deleted_images", [name])
    assert (await api.delete_board(board, include_images=True))["board_id"] == board


async def use_videos(api: Recorder) -> None:
    if not api.has("upload_video"):
        return
    board = (await api.create_board(board_name="api videos"))["board_id"]
    names: list[str] = []
    for _ in range(2):
        clip = FormFile(VIDEO, "tiny.mp4", "video/mp4")
        names.append(
            (await api.upload_video(video_category="user", is_intermediate=False, file=clip))["video_name"]
        )
    name = names[0]
    assert (await api.get_video_dto(name))["video_name"] == name
    assert await api.get_video_metadata(name) is None
    assert "workflow" in await api.get_video_workflow(name)
    content = VIDEO.read_bytes()
    assert await api.get_video_full(name) == content
    assert (await api.get_video_full_head(name))["Content-Length"] == str(len(content))
    async with api.get_video_full_stream(name, headers={"Range": "bytes=10-19"}) as download:
        assert download.status_code == 206
        assert b"".join([chunk async for chunk in download]) == content[10:20]
    api.called -= {"get_video_full_stream"}
    assert await api.get_video_thumbnail(name)
    assert (await api.get_video_urls(name))["video_name"] == name
    assert (await api.update_video(name, starred=True))["starred"] is True
    assert (await api.unstar_videos_in_list(video_names=[name]))["unstarred_videos"] == [name]
    assert (await api.star_videos_in_list(video_names=[name]))["starred_videos"] == [name]
    assert name in [one["video_name"] for one in (await api.list_video_dtos(limit=100))["items"]]
    assert name in (await api.get_video_names(categories=["user"]))["video_names"]
    assert (await api.add_video_to_board(board_id=board, video_name=name))["added_videos"] == [name]
    assert (await api.remove_video_from_board(video_name=name))["removed_videos"] == [name]
    assert (await api.delete_video(name))["deleted_videos"] == [name]
    assert (await api.delete_videos_from_list(video_names=names[1:]))["deleted_videos"] == names[1:]
    await api.delete_board(board)


async def use_presets(api: Recorder, png: FormFile) -> None:
    data = '{"name": "api", "positive_prompt": "{prompt}", "negative_prompt": "", "type": "user"}'
    preset = (await api.create_style_preset(data=data, image=png))["id"]
    assert (await api.get_style_preset_image(preset))[:4] == b"RIFF"
    assert (await api.update_style_preset(preset, data=data))["name"] == "api"
    assert (await api.get_style_preset(preset))["preset_data"]["positive_prompt"] == "{prompt}"
    assert preset in [one["id"] for one in await api.list_style_presets()]
    exported = await api.export_style_presets()
    assert b"name,prompt,negative_prompt" in exported
    table = FormFile(b"name,prompt,negative_prompt\r\napi imported,a,b\r\n", "presets.csv", "text/csv")
    await api.import_style_presets(file=table)
    for one in await api.list_style_presets():
        if one["name"] in ("api", "api imported"):
            await api.delete_style_preset(one["id"])
    if api.has("create_system_prompt"):
        prompt = (await api.create_system_prompt(name="api", content="Be brief."))["id"]
        assert (await api.update_system_prompt(prompt, content="Be very brief."))["name"] == "api"
        assert (await api.get_system_prompt(prompt))["content"] == "Be very brief."
        assert prompt in [one["id"] for one in await api.list_system_prompts()]
        await api.delete_system_prompt(prompt)


async def use_models(api: Recorder, png: FormFile) -> None:
    models = (await api.list_model_records(model_type="main", base_models=["sd-1"]))["models"]
    first = models[0]
    key = first["key"]
    [other] = [one["key"] for one in (await api.list_model_records())["models"] if one["key"] != key][:1]
    assert (await api.get_model_record(key))["name"] == first["name"]
    found = await api.get_model_records_by_attrs(name=first["name"], type="main", base="sd-1")
    assert found["name"] == first["name"]
    changed = await api.update_model_record(key, body={"description": "for a test"})
    assert changed["description"] == "for a test"
    await api.update_model_record(key, body={"description": first["description"]})
    if api.has("reidentify_model"):
        assert (await api.reidentify_model(key))["key"] == key
    if api.has("bulk_reidentify_models"):
        assert "succeeded" in await api.bulk_reidentify_models(keys=[key])
    await api.update_model_image(key, image=png)
    assert await api.get_model_image(key)
    await api.delete_model_image(key)
    await api.add_model_relationship(model_key_1=key, model_key_2=other)
    assert await api.get_related_models(key) == [other]
    assert await api.get_related_models_batch(model_keys=[key]) == [other]
    await api.remove_model_relationship(model_key_1=key, model_key_2=other)
    await api.refused(400, "scan_for_models", scan_path="/no/such/folder")
    assert isinstance(await api.list_model_installs(), list)
    await api.refused(404, "get_model_install_job", 999999)
    assert (await api.get_starter_models())["starter_models"]
    await api.get_stats()
    await api.empty_model_cache()
    with pytest.raises(APIRequestError):  # unknown there, or the test has no access to the internet
        await api.get_hugging_face_models(hugging_face_repo="no-such-owner-at-all/no-such-model")
    assert await api.get_hf_login_status() in ("valid", "invalid", "unknown")
    if api.has("list_missing_models"):
        assert (await api.list_missing_models())["models"] == []
        assert (await api.get_model_records_by_hash(hash=first["hash"]))["hash"] == first["hash"]
        await api.refused(415, "restart_failed_model_install_job", 999999)
        await api.refused(415, "restart_model_install_file", 999999, body="https://example.org/a")
        assert await api.get_orphaned_models() == []
        assert await api.delete_orphaned_models(paths=[]) == {"deleted": [], "errors": {}}


async def use_workflows(api: Recorder, png: FormFile) -> None:
    made = (await api.create_workflow(workflow=workflow("api")))["workflow_id"]
    changed = await api.update_workflow(made, workflow=workflow("api 2", id=made))
    assert changed["name"] == "api 2"
    assert (await api.get_workflow(made))["name"] == "api 2"
    assert made in [one["workflow_id"] for one in (await api.list_workflows(query="api 2"))["items"]]
    assert await api.set_workflow_thumbnail(made, image=png) is None
    assert await api.get_workflow_thumbnail(made)
    assert await api.delete_workflow_thumbnail(made) is None
    if api.has("get_all_tags"):
        assert "api" in await api.get_all_tags(categories=["user"])
    if api.has("update_workflow_is_public"):
        assert (await api.update_workflow_is_public(made, is_public=True))["is_public"] is True
    assert await api.get_counts_by_tag(tags=["api"], categories=["user"]) == {"api": 1}
    assert (await api.counts_by_category(categories=["user"]))["user"] >= 1
    await api.update_opened_at(made)
    await api.delete_workflow(made)


async def use_queue(api: Recorder) -> None:
    await api.pause(QUEUE)
    try:
        sent = await api.enqueue_batch(QUEUE, batch=batch("api"))
        following = await api.get_next_queue_item(QUEUE)
        [item] = sent.get("item_ids") or [following["item_id"]]  # 5.15 does not respond with the ids
        batch_id = sent["batch"]["batch_id"]
        assert (await api.get_queue_item(QUEUE, item))["status"] == "pending"
        if api.has("get_queue_item_ids"):
            assert item in (await api.get_queue_item_ids(QUEUE))["item_ids"]
        for name in ("get_queue_items_by_item_ids", "get_queue_item_summaries_by_ids"):
            if api.has(name):
                assert [one["item_id"] for one in await getattr(api, name)(QUEUE, item_ids=[item])] == [item]
        if api.has("list_all_queue_items"):
            found = await api.list_all_queue_items(QUEUE, destination="api")
            assert [one["item_id"] for one in found] == [item]
        assert following["item_id"] == item
        assert await api.get_current_queue_item(QUEUE) is None
        assert (await api.get_queue_status(QUEUE))["processor"]["is_processing"] is False
        assert (await api.get_batch_status(QUEUE, batch_id))["pending"] == 1
        assert (await api.counts_by_destination(QUEUE, destination="api"))["pending"] == 1
        assert (await api.cancel_by_batch_ids(QUEUE, batch_ids=[batch_id]))["canceled"] == 1
        [again] = (await api.retry_items_by_id(QUEUE, body=[item]))["retried_item_ids"]
        assert again
        assert (await api.cancel_by_destination(QUEUE, destination="api"))["canceled"] == 1
        await api.cancel_queue_item(QUEUE, item)
        if api.has("delete_queue_item"):
            await api.delete_queue_item(QUEUE, item)
            assert (await api.delete_by_destination(QUEUE, "api"))["deleted"] >= 1
        empty = "ivk-api-queue"
        assert (await api.cancel_all_except_current(empty))["canceled"] == 0
        if api.has("delete_all_except_current"):
            assert (await api.delete_all_except_current(empty))["deleted"] == 0
        assert (await api.clear(empty))["deleted"] == 0
        assert (await api.prune(empty))["deleted"] == 0
    finally:
        assert (await api.resume(QUEUE))["is_started"] is True


async def test_operations_of_newer_servers_name_the_version(
    async_client: AsyncInvokeAIClient, server: RealServer
) -> None:
    newer = [
        (name, one.since) for name, one in OPERATIONS.items() if one.since and server.is_before(one.since)
    ]
    assert bool(newer) == server.is_before("6.14")
    file = FormFile(b"", "a.png")
    for name, since in newer:
        call = getattr(async_client.api, name)
        required = [
            one.name for one in inspect.signature(call).parameters.values() if one.default is one.empty
        ]
        values = {one: file if one in ("file", "image") else 1 for one in required if one != "options"}
        with pytest.raises(
            ServerTooOldError,
            match=rf"`{name}` needs InvokeAI {since} or later; this server is {server.version}",
        ):
            await call(**values)


@pytest.mark.since("6.14")
async def test_every_operation_about_accounts_works(users: Users) -> None:
    async with AsyncInvokeAIClient.from_url(users.url, email=ADMIN[0], password=ADMIN[1]) as client:
        api = Recorder(client)
        assert (await api.login(email=ADMIN[0], password=ADMIN[1]))["user"]["is_admin"] is True
        assert (await api.get_current_user_info())["email"] == ADMIN[0]
        password = (await api.generate_password())["password"]
        made = (await api.create_user(email="api@example.org", password=password))["user_id"]
        assert made in [one["user_id"] for one in await api.list_users()]
        assert (await api.update_user(made, display_name="Api"))["display_name"] == "Api"
        assert (await api.get_user(made))["display_name"] == "Api"
        assert await api.delete_user(made) is None
        name = (await api.get_current_user_info())["display_name"]
        assert (await api.update_current_user(display_name=name))["display_name"] == name
        await api.refresh_media_cookie()
        await api.refused(
            400, "setup_admin", email="other@example.org", password="Other-secret-1", display_name="Other"
        )
        assert (await api.logout())["success"] is True
        assert api.called == OF_ACCOUNTS


@pytest.mark.since("6.12")
def test_an_operation_for_administrators_is_refused_to_others(users: Users, ann: InvokeAIClient) -> None:
    with pytest.raises(APIRequestError) as caught:
        ann.api.create_user(email="eve@example.org", password="Eve-secret-1")
    assert caught.value.status_code == 403
    assert ann.api.get_current_user_info()["email"] == ANN[0]
    assert "Eve-secret" not in str(caught.value) + repr(caught.value.payload)


def test_operations_are_synchronous_too(client: InvokeAIClient, picture: bytes) -> None:
    file = FormFile(picture, "a.png", "image/png")
    name = client.api.upload_image(image_category="user", is_intermediate=True, file=file)["image_name"]
    with client.api.get_image_full_stream(name) as download:
        content = b"".join(download)
    assert content == client.api.get_image_full(name)
    assert (download.status_code, download.content_type) == (200, "image/png")
    assert client.api.get_image_full_path(name) == f"/api/v1/images/i/{name}/full"
    client.api.delete_image(name)
    with pytest.raises(NotFoundError):
        client.api.get_image_dto(name)
