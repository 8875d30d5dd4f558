"""Images of real runs saved as JPEG, WEBP and AVIF, with their metadata."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import workflows
from PIL import Image as Pillow
from PIL import features

from invokeai_py_client import InvokeAIClient, Run
from invokeai_py_client.errors import UsageError
from invokeai_py_client.files.convert import embedded_metadata

FORMATS = {".png": "PNG", ".jpg": "JPEG", ".webp": "WEBP"} | (
    {".avif": "AVIF"} if features.check("avif") else {}
)


def drawn(client: InvokeAIClient, **values: Any) -> Run:
    """Run a workflow that draws an image and embeds its metadata."""
    return client.workflow_repo.create_workflow(workflows.sd1(steps=2)).run(model="tiny-sd1", **values)


def format_of(path: Path) -> str | None:
    with Pillow.open(path) as image:
        return image.format


def test_extension_decides_the_format(client: InvokeAIClient, tmp_path: Path, nothing_left: None) -> None:
    run = drawn(client, positive_prompt="a fox, 漢字")
    image = run.images[0]
    embedded = embedded_metadata(image.pil())
    assert embedded, "the server embeds the graph at least"
    for suffix, name in FORMATS.items():
        path = image.save(tmp_path / f"fox{suffix}")
        (named,) = run.save(f"{tmp_path}/{{steps}}-{{positive_prompt}}{suffix}")
        (listed,) = client.image_repo.download_images([image.name], tmp_path, template=f"{{image}}{suffix}")
        assert named.name == f"2-a fox, 漢字{suffix}"
        assert [format_of(one) for one in (path, named, listed)] == [name] * 3
        with Pillow.open(path) as saved:
            assert saved.size == image.pil().size
            assert embedded_metadata(saved) == embedded
        if "invokeai_workflow" in embedded:
            assert client.workflow_repo.create_workflow(path).name == "SD-1 text to image"
    before = (tmp_path / "fox.png").read_bytes()
    assert before == image.bytes()


def test_existing_files_of_another_format_are_replaced(
    client: InvokeAIClient, tmp_path: Path, nothing_left: None
) -> None:
    image = drawn(client).images[0]
    path = tmp_path / image.name.replace(".png", ".jpg")
    path.write_bytes(image.bytes())
    for _ in range(2):
        assert client.image_repo.download_images([image.name], tmp_path, template="{image}.jpg") == [path]
        assert format_of(path) == "JPEG"
    sent = client.connection.http.sent
    client.image_repo.download_images([image.name], tmp_path, template="{image}.jpg")
    assert client.connection.http.sent == sent, "a complete file is not downloaded again"


def test_thumbnails(client: InvokeAIClient, tmp_path: Path, nothing_left: None) -> None:
    image = drawn(client).images[0]
    for suffix, name in FORMATS.items():
        path = client.image_repo.download_to(image.name, tmp_path / f"t{suffix}", full_resolution=False)
        assert format_of(path) == name


def test_unsupported_formats_are_rejected_before_the_download(
    client: InvokeAIClient, tmp_path: Path, nothing_left: None
) -> None:
    run = drawn(client)
    sent = client.connection.http.sent
    for save in (
        lambda: run.images[0].save(tmp_path / "fox.gif"),
        lambda: run.save(tmp_path / "fox.tiff"),
        lambda: client.image_repo.download_images([run.images[0].name], tmp_path, template="{image}.pdf"),
        lambda: client.image_repo.download_to(run.images[0].name, tmp_path / "fox.json"),
    ):
        with pytest.raises(
            UsageError, match=r"is not a supported format\. Use \.png, \.jpg, \.webp or \.avif\."
        ):
            save()
    assert client.connection.http.sent == sent
    assert list(tmp_path.iterdir()) == []


def test_sweeps_in_another_format(client: InvokeAIClient, tmp_path: Path, nothing_left: None) -> None:
    wf = client.workflow_repo.create_workflow(workflows.sd1())
    sweep = wf.sweep(steps=[2, 3], values={"model": "tiny-sd1"})
    sweep.wait()
    paths = sweep.save(f"{tmp_path}/{{steps}}.webp")
    assert [path.name for path in paths] == ["2.webp", "3.webp"]
    assert [format_of(path) for path in paths] == ["WEBP", "WEBP"]
