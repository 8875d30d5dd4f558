"""The requests that a simulated server responds to."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from aiohttp import web

from simulated.behavior import MODEL
from simulated.images import color_of, image_record, png
from simulated.queue import OPEN, Batch, Item, now, record, session_id, summary, text
from simulated.runs import document, image_names

if TYPE_CHECKING:
    from simulated.server import SimulatedServer

_QUEUE = "/api/v1/queue/{queue}"
_IMAGES = "/api/v1/images"


class Routes:
    """The routes of a server.

    Args:
        server: The server.
    """

    def __init__(self, server: SimulatedServer) -> None:
        self._server = server
        self._boards: dict[str, dict[str, Any]] = {}
        self._uploaded: dict[str, bytes] = {}
        self._on_board: dict[str, str] = {}

    def table(self) -> list[web.RouteDef]:
        """Return the routes."""
        return [
            web.get("/ws/socket.io/", self._server.sockets.connect),
            web.get("/openapi.json", self._document),
            web.get("/api/v1/app/version", self._version),
            web.get("/api/v1/app/runtime_config", self._config),
            web.get("/api/v1/app/generation_device_options", self._devices),
            web.get("/api/v1/auth/status", self._auth),
            web.get("/api/v2/models/", self._models),
            web.get("/api/v2/models/i/{key}", self._model),
            web.get(f"{_QUEUE}/status", self._status),
            web.get(f"{_QUEUE}/current", self._current),
            web.get(f"{_QUEUE}/next", self._next),
            web.get(f"{_QUEUE}/item_ids", self._ids),
            web.get(f"{_QUEUE}/list_all", self._list),
            web.get(_QUEUE + "/i/{item}", self._item),
            web.delete(_QUEUE + "/i/{item}", self._delete),
            web.put(_QUEUE + "/i/{item}/cancel", self._cancel_item),
            web.get(_QUEUE + "/b/{batch}/status", self._batch),
            web.post(f"{_QUEUE}/enqueue_batch", self._enqueue),
            web.post(f"{_QUEUE}/items_by_ids", self._items),
            web.post(f"{_QUEUE}/item_summaries_by_ids", self._summaries),
            web.put(f"{_QUEUE}/cancel_by_batch_ids", self._cancel),
            web.put(f"{_QUEUE}/retry_items_by_id", self._retry),
            web.get("/api/v1/boards/", self._list_boards),
            web.post("/api/v1/boards/", self._create_board),
            web.post("/api/v1/board_images/batch", self._add_to_board),
            web.post(f"{_IMAGES}/upload", self._upload),
            web.post(f"{_IMAGES}/images_by_names", self._images),
            web.get(_IMAGES + "/i/{image}", self._image),
            web.get(_IMAGES + "/i/{image}/full", self._pixels),
            web.get(_IMAGES + "/i/{image}/thumbnail", self._pixels),
            web.get(_IMAGES + "/i/{image}/metadata", self._metadata),
        ]

    # ------------------------------------------------------------------ the server

    async def _document(self, _: web.Request) -> web.Response:
        return web.Response(body=document(), content_type="application/json")

    async def _version(self, _: web.Request) -> web.Response:
        return web.json_response({"version": self._server.behavior.version})

    async def _config(self, _: web.Request) -> web.Response:
        return web.json_response({"set_fields": [], "config": {"generation_devices": "auto"}})

    async def _devices(self, _: web.Request) -> web.Response:
        count = self._server.behavior.devices
        names = ["cpu"] if count == 1 else [f"cuda:{number}" for number in range(count)]
        return web.json_response([{"device": name, "name": name} for name in names])

    async def _auth(self, _: web.Request) -> web.Response:
        known: dict[str, Any] = {"setup_required": False, "multiuser_enabled": False}
        return web.json_response(known | {"strict_password_checking": False, "admin_email": None})

    async def _models(self, _: web.Request) -> web.Response:
        return web.json_response({"models": self._model_records()})

    async def _model(self, request: web.Request) -> web.Response:
        for found in self._model_records():
            if found["key"] == request.match_info["key"]:
                return web.json_response(found)
        raise _missing("model", request.match_info["key"])

    def _model_records(self) -> list[dict[str, Any]]:
        """Return the models: the hashes are the same on all servers, the keys differ."""
        found: list[dict[str, Any]] = []
        for name in self._server.behavior.models:
            key = hashlib.md5(f"{self._server.port} {name}".encode(), usedforsecurity=False).hexdigest()
            known = MODEL["hash"] if name == MODEL["name"] else f"blake3:{name}"
            dashed = "-".join([key[:8], key[8:12], key[12:16], key[16:20], key[20:]])
            found.append({**MODEL, "key": dashed, "name": name, "hash": known})
        return found

    # ------------------------------------------------------------------ the queue

    async def _status(self, _: web.Request) -> web.Response:
        queue = self._server.queue
        processor = {"is_started": True, "is_processing": queue.counts["in_progress"] > 0}
        return web.json_response({"queue": queue.status(), "processor": processor})

    async def _current(self, _: web.Request) -> web.Response:
        return self._or_null(next(self._server.queue.current(), None))

    async def _next(self, _: web.Request) -> web.Response:
        return self._or_null(self._server.queue.next())

    def _or_null(self, item: Item | None) -> web.Response:
        return web.json_response(item and record(item, self._server.session(item)))

    async def _ids(self, request: web.Request) -> web.Response:
        ids = sorted(self._server.queue.items, reverse=request.query.get("order_dir") != "ASC")
        return web.json_response({"item_ids": ids, "total_count": len(ids)})

    async def _list(self, request: web.Request) -> web.Response:
        wanted = request.query.get("destination")
        items = self._server.queue.items.values()
        return await self._whole(
            item for item in items if wanted is None or item.batch.body.get("destination") == wanted
        )

    async def _item(self, request: web.Request) -> web.Response:
        item = self._one(request)
        await self._reading(1)
        return web.json_response(record(item, self._server.session(item)))

    def _one(self, request: web.Request) -> Item:
        item = self._server.queue.items.get(int(request.match_info["item"]))
        if item is None:
            raise _missing("queue item", request.match_info["item"])
        return item

    async def _delete(self, request: web.Request) -> web.Response:
        item = self._one(request)
        await self._cancel_all([item])
        self._server.queue.remove(item)
        return web.json_response(None)

    async def _cancel_item(self, request: web.Request) -> web.Response:
        item = self._one(request)
        if item.status in OPEN:
            self._server.queue.change(item, "canceled")
            await self._server.send_status(item)
        return web.json_response(record(item, self._server.session(item)))

    async def _batch(self, request: web.Request) -> web.Response:
        return web.json_response(self._server.queue.batch_status(request.match_info["batch"]))

    async def _enqueue(self, request: web.Request) -> web.Response:
        body = await request.json()
        batch, queue = Batch.of(body["batch"]), self._server.queue
        room = max(0, self._server.behavior.max_queue_size - queue.counts["pending"])
        known = queue.batches.get(batch.id)
        new = queue.add(batch, range(min(batch.size, room)), prepend=body["prepend"])
        items = [*(known.items if known else ()), *(item.id for item in new)]
        counts = {"enqueued": len(new), "requested": batch.size, "priority": new[0].priority if new else 0}
        event = {"timestamp": 1795716399, "queue_id": "default", "batch_id": batch.id, **counts}
        event |= {"origin": batch.body.get("origin"), "user_id": "system"}
        await self._server.sockets.send(text("batch_enqueued", event))
        self._server.wake()
        newest_first = sorted(dict.fromkeys(items), reverse=True)
        return web.json_response(
            {"queue_id": "default", **counts, "batch": body["batch"], "item_ids": newest_first}
        )

    async def _items(self, request: web.Request) -> web.Response:
        return await self._whole(await self._wanted(request))

    async def _summaries(self, request: web.Request) -> web.Response:
        return web.json_response([summary(item) for item in await self._wanted(request)])

    async def _wanted(self, request: web.Request) -> list[Item]:
        ids = (await request.json())["item_ids"]
        return [item for item_id in ids if (item := self._server.queue.items.get(item_id)) is not None]

    async def _whole(self, items: Iterable[Item]) -> web.Response:
        found = [*items]
        await self._reading(len(found))
        return web.json_response([record(item, self._server.session(item)) for item in found])

    async def _reading(self, count: int) -> None:
        self._server.counts["whole items"] += count
        await asyncio.sleep(self._server.behavior.read_ms * count / 1000)

    async def _cancel(self, request: web.Request) -> web.Response:
        batches = (await request.json())["batch_ids"]
        queue = self._server.queue
        ids = [
            item_id
            for batch_id in batches
            if (batch := queue.batches.get(batch_id))
            for item_id in batch.items
        ]
        canceled = await self._cancel_all([queue.items[item_id] for item_id in ids])
        return web.json_response({"canceled": canceled})

    async def _cancel_all(self, items: Iterable[Item]) -> int:
        """Cancel items. Only those in progress have an event of their own."""
        found = [item for item in items if item.status in OPEN]
        running = [item for item in found if item.status == "in_progress"]
        others = [item.id for item in found if item.status == "pending"]
        for item in found:
            self._server.queue.change(item, "canceled")
        for item in running:
            await self._server.send_status(item)
        if others:
            event = {"timestamp": 1795716399, "queue_id": "default", "canceled_item_ids": others}
            event |= {"user_ids": ["system"], "canceled_item_ids_by_user": {"system": others}}
            await self._server.sockets.send(text("queue_items_canceled", event))
        return len(found)

    async def _retry(self, request: web.Request) -> web.Response:
        queue, retried = self._server.queue, list[int]()
        for item_id in await request.json():
            item = queue.items.get(item_id)
            if item is not None and item.status in ("failed", "canceled"):
                queue.add(item.batch, [item.row], retries=item)
                retried.append(item_id)
        event = {"timestamp": 1795716399, "queue_id": "default", "retried_item_ids": retried}
        event |= {"user_ids": ["system"], "retried_item_ids_by_user": {"system": retried}}
        await self._server.sockets.send(text("queue_items_retried", event))
        self._server.wake()
        return web.json_response({"queue_id": "default", "retried_item_ids": retried})

    # ------------------------------------------------------------------ boards and images

    async def _list_boards(self, _: web.Request) -> web.Response:
        return web.json_response([*self._boards.values()])

    async def _create_board(self, request: web.Request) -> web.Response:
        board_id = str(uuid4())
        self._boards[board_id] = {
            "board_id": board_id,
            "board_name": request.query["board_name"],
            "user_id": "system",
            "created_at": now(),
            "updated_at": now(),
            "deleted_at": None,
            "cover_image_name": None,
            "cover_video_name": None,
            "archived": False,
            "board_visibility": "private",
            "image_count": 0,
            "video_count": 0,
            "asset_count": 0,
            "owner_username": None,
        }
        return web.json_response(self._boards[board_id], status=201)

    async def _add_to_board(self, request: web.Request) -> web.Response:
        body = await request.json()
        self._on_board |= dict.fromkeys(body["image_names"], body["board_id"])
        return web.json_response(
            {"added_images": body["image_names"], "affected_boards": [body["board_id"]]}, status=201
        )

    async def _upload(self, request: web.Request) -> web.Response:
        file = (await request.post())["file"]
        if isinstance(file, web.FileField):
            name = f"{uuid4()}.png"
            self._uploaded[name] = file.file.read()
            return web.json_response(image_record(name, None, None, None), status=201)
        raise web.HTTPUnprocessableEntity

    async def _images(self, request: web.Request) -> web.Response:
        names = (await request.json())["image_names"]
        return web.json_response([found for name in names if (found := self._image_record(name)) is not None])

    async def _image(self, request: web.Request) -> web.Response:
        found = self._image_record(request.match_info["image"])
        if found is None:
            raise _missing("image", request.match_info["image"])
        return web.json_response(found)

    async def _metadata(self, _: web.Request) -> web.Response:
        return web.json_response(None)

    async def _pixels(self, request: web.Request) -> web.Response:
        name = request.match_info["image"]
        data = self._uploaded.get(name)
        if data is None:
            item = self._maker(name)
            if item is None:
                raise _missing("image", name)
            data = png(color_of(item))
        return web.Response(body=data, content_type="image/png")

    def _image_record(self, name: str) -> dict[str, Any] | None:
        board_id = self._on_board.get(name)
        if name in self._uploaded:
            return image_record(name, None, None, board_id)
        item = self._maker(name)
        return item and image_record(name, item, session_id(self._server.port, item), board_id)

    def _maker(self, name: str) -> Item | None:
        """Return the item that made an image, or None if this server has no such image."""
        try:
            item = self._server.queue.items.get(int(name[:8], 16))
        except ValueError:
            return None
        if item is None or item.status != "completed" or name not in image_names(self._server.session(item)):
            return None
        return item


def _missing(what: str, name: str) -> web.HTTPNotFound:
    return web.HTTPNotFound(
        text=json.dumps({"detail": f"There is no {what} {name}."}), content_type="application/json"
    )
