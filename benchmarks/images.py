"""Measure the client's overhead for downloads and image records, compared with bare requests.

    .venv/bin/python benchmarks/images.py [--pictures N] [--rounds N] [--other PYTHON] [--json]

Measured in turns on the same server, as in ``sweeps.py``: downloads to a new folder each time, and downloads that
replace the same files. The images are 1024 x 1024 PNGs that hardly compress.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import shutil
import statistics
import tempfile
from io import BytesIO
from pathlib import Path
from typing import Any

from beside import baseline_of, by_other_client, compared, server_url, timed

from invokeai_py_client import AsyncInvokeAIClient


async def measure(url: str, pictures: int, rounds: int, other: str | None) -> dict[str, Any]:
    """Return all measurements."""
    found: dict[str, Any] = {"pictures": pictures, "rounds": rounds}
    async with AsyncInvokeAIClient.from_url(url) as client, baseline_of(url) as baseline:
        http = client.connection.http
        names = await some_pictures(client, pictures)
        # A file that replaces another one is flushed to the disk by some file systems (ext4), a new one is not.
        for what, is_new in (("download to a new folder", True), ("download over the same files", False)):
            ours, bare = list[float](), list[float]()
            theirs: list[dict[str, Any]] = []
            requests: list[int] = []
            before = _peak()
            with tempfile.TemporaryDirectory() as base:
                for number in range(rounds + (not is_new)):
                    folder = Path(base) / (str(number) if is_new else "same")
                    (folder / "bare").mkdir(parents=True, exist_ok=True)
                    bare.append(await timed(lambda to=folder / "bare": baseline.download(names, to)))
                    sent, to = http.sent, folder / "ours"
                    ours.append(
                        await timed(
                            lambda to=to: client.image_repo.download_images(names, to, overwrite=True)
                        )
                    )
                    requests.append(http.sent - sent)
                    if other:
                        (listed := Path(base) / "names.json").write_text(json.dumps(names))
                        theirs.append(
                            await asyncio.to_thread(by_other_client, other, "download", url, listed)
                        )
                    if is_new:
                        shutil.rmtree(folder)
                    elif number == 0:  # the files did not exist yet
                        ours.clear()
                        bare.clear()
            found[what] = compared(ours, bare) | {"requests": statistics.median(requests)} | _others(theirs)
            found[what]["peak_mb_grew"] = _peak() - before

        requests = []
        ours, bare = list[float](), list[float]()
        for _ in range(rounds * 3):
            bare.append(await timed(lambda: baseline.records(1000)))
            sent = http.sent
            ours.append(await timed(lambda: client.image_repo.list_images(limit=1000)))
            requests.append(http.sent - sent)
        found["records"] = compared(ours, bare) | {"requests": statistics.median(requests)}
        await client.image_repo.delete(names)
    return found


def _others(theirs: list[dict[str, Any]]) -> dict[str, float]:
    if not theirs:
        return {}
    return {
        f"other_{'s' if key == 'seconds' else key}": round(statistics.median(one[key] for one in theirs), 4)
        for key in ("seconds", "requests")
    }


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


async def some_pictures(client: AsyncInvokeAIClient, count: int) -> list[str]:
    """Upload 1024 x 1024 images and return their names."""
    from PIL import Image

    picture = Image.effect_noise((1024, 1024), 80).convert("RGB")
    buffer = BytesIO()
    picture.save(buffer, format="PNG")
    limit = asyncio.Semaphore(4)

    async def upload() -> str:
        async with limit:
            return (await client.image_repo.upload(buffer.getvalue(), filename="noise.png")).image_name

    return await asyncio.gather(*(upload() for _ in range(count)))


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the overhead of the client.")
    parser.add_argument("--pictures", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--other", metavar="PYTHON", help="Python of an environment with invokeai-py-client 1.1.1"
    )
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with server_url() as url:
        found = asyncio.run(measure(url, options.pictures, options.rounds, options.other))
    print(json.dumps(found) if options.json else "\n".join(f"{name}: {one}" for name, one in found.items()))


if __name__ == "__main__":
    main()
