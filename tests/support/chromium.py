"""A headless Chromium driven over the DevTools protocol: enough to use a page as a person would."""

from __future__ import annotations

import asyncio
import base64
import itertools
import os
import shutil
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from tempfile import TemporaryDirectory
from typing import Any

import aiohttp

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge")
_KEYS = {"ArrowRight": 39, "ArrowLeft": 37, "Escape": 27, "Home": 36, "End": 35, "Enter": 13, "Tab": 9}


def find_browser() -> str | None:
    """Return the browser's executable from the path or ``$BROWSER_PATH``, or None."""
    return os.environ.get("BROWSER_PATH") or next(filter(None, map(shutil.which, NAMES)), None)


class Page:
    """The one tab."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self._session = ""
        self._loaded = asyncio.Event()
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._reader = asyncio.create_task(self._read())
        self.requests: list[str] = []
        self.complaints: list[str] = []

    async def start(self) -> None:
        target = await self._call("Target.createTarget", url="about:blank")
        attached = await self._call("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            await self._call(f"{domain}.enable")

    async def stop(self) -> None:
        self._reader.cancel()
        await asyncio.gather(self._reader, return_exceptions=True)

    async def open(self, url: str) -> None:
        """Open a page and wait until it has loaded."""
        self._loaded.clear()
        await self._call("Page.navigate", url=url)
        await asyncio.wait_for(self._loaded.wait(), 60)

    async def size(self, width: int, height: int, *, dark: bool = False) -> None:
        """Resize the window. Below 600 pixels it emulates a phone."""
        phone = width < 600
        await self._call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=phone,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await self._call("Emulation.setEmulatedMedia", features=[scheme])

    async def run(self, script: str) -> Any:
        """Evaluate an expression in the page and return its value. Promises are awaited."""
        answer = await self._call(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        if "exceptionDetails" in answer:
            raise AssertionError(f"{script}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    async def until(self, script: str) -> None:
        """Wait until an expression is true. It is evaluated before each frame."""
        look = f"const look = () => ({script}) ? done() : requestAnimationFrame(look); look();"
        await asyncio.wait_for(self.run(f"new Promise((done) => {{ {look} }})"), 30)

    async def key(self, name: str) -> None:
        """Press a key."""
        parameters = {"key": name, "code": name, "windowsVirtualKeyCode": _KEYS[name]}
        # Buttons react to the character, not to the key.
        text = {"text": "\r"} if name == "Enter" else {}
        await self._call("Input.dispatchKeyEvent", type="keyDown", **parameters, **text)
        await self._call("Input.dispatchKeyEvent", type="keyUp", **parameters)

    async def click(self, selector: str) -> None:
        """Click the center of the first element that matches a selector. No other element may cover it."""
        place = await self.run(
            f"""(async () => {{ const one = document.querySelector({selector!r});
            one.scrollIntoView({{block: "nearest"}});
            for (let frame = 0; frame < 2; frame++) await new Promise(requestAnimationFrame);
            const box = one.getBoundingClientRect(); const at = [box.x + box.width / 2, box.y + box.height / 2];
            const top = document.elementFromPoint(...at);
            return one.contains(top) ? at : `covered by ${{top?.outerHTML.slice(0, 200)}}`; }})()"""
        )
        assert isinstance(place, list), f"{selector} cannot be clicked: {place}"
        for kind in ("mousePressed", "mouseReleased"):
            await self._call(
                "Input.dispatchMouseEvent", type=kind, x=place[0], y=place[1], button="left", clickCount=1
            )

    async def type(self, text: str) -> None:
        """Type into the focused element."""
        await self._call("Input.insertText", text=text)

    async def picture(self) -> bytes:
        """Return a screenshot of the window as a PNG."""
        answer = await self._call("Page.captureScreenshot", format="png")
        return base64.b64decode(answer["data"])

    # ------------------------------------------------------------------ inside

    async def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        number = next(self._numbers)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        message: dict[str, Any] = {"id": number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        await self._socket.send_json(message)
        found = await asyncio.wait_for(answer, 60)
        if "error" in found:
            raise AssertionError(f"{method}: {found['error']}")
        return found["result"]

    async def _read(self) -> None:
        async for message in self._socket:
            data: dict[str, Any] = message.json()
            if "id" in data:
                self._answers.pop(data["id"]).set_result(data)
                continue
            about = data["params"]
            match data["method"]:
                case "Page.loadEventFired":
                    self._loaded.set()
                case "Network.requestWillBeSent":
                    self.requests.append(about["request"]["url"])
                case "Runtime.exceptionThrown":
                    self.complaints.append(str(about["exceptionDetails"]))
                case "Runtime.consoleAPICalled":
                    self.complaints.append(str(about["args"]))
                case "Log.entryAdded":
                    self.complaints.append(about["entry"]["text"])
                case _:
                    pass


@asynccontextmanager
async def browser_page(program: str) -> AsyncGenerator[Page]:
    """Start a browser and yield its tab. The browser is closed at the end of the block."""
    with TemporaryDirectory(prefix="browser-", ignore_cleanup_errors=True) as profile:
        root = hasattr(os, "geteuid") and os.geteuid() == 0
        process = await asyncio.create_subprocess_exec(
            program,
            "--headless=new",
            "--remote-debugging-port=0",
            f"--user-data-dir={profile}",
            "--no-first-run",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            *(["--no-sandbox"] if root else []),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        assert process.stderr is not None
        draining: asyncio.Task[bytes] | None = None
        try:
            address = await asyncio.wait_for(_address(process.stderr), 60)
            draining = asyncio.create_task(process.stderr.read())
            async with (
                aiohttp.ClientSession() as session,
                session.ws_connect(address, max_msg_size=0) as socket,
            ):
                page = Page(socket)
                await page.start()
                try:
                    yield page
                finally:
                    await page.stop()
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()
            if draining is not None:
                await draining


async def _address(lines: asyncio.StreamReader) -> str:
    said: list[str] = []
    async for line in lines:
        said.append(line.decode(errors="replace"))
        if "DevTools listening on " in said[-1]:
            return said[-1].split("DevTools listening on ")[1].strip()
    raise AssertionError(f"The browser did not start: {''.join(said)}")
