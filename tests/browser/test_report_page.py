"""The report of a sweep in a real browser."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from chromium import Page
from PIL import Image

from invokeai_py_client.sweep.report import ReportEntry, make_thumbnail, write_report

HOSTILE = '</script><script>document.title = "taken"</script><img src=x onerror="document.title=1">\'"&lt;'
LONG = "an oil painting of a red fox in deep snow, " * 8
PROMPTS = ["a fox", LONG, HOSTILE]


def png(color: tuple[int, int, int], size: tuple[int, int] = (600, 400)) -> bytes:
    data = io.BytesIO()
    Image.new("RGB", size, color).save(data, "PNG")
    return data.getvalue()


def entries(folder: Path) -> list[ReportEntry]:
    """Return 3 x 4 runs. One failed and one was canceled."""
    found: list[ReportEntry] = []
    for prompt in PROMPTS:
        for cfg in (10, 4, 6.5, 8):
            index = len(found)
            inputs = {"Positive Prompt": prompt, "cfg": cfg}
            if index in (5, 9):
                error = f"OutOfMemoryError: {HOSTILE}" if index == 5 else None
                found.append(ReportEntry(index, inputs, "failed" if error else "canceled", error=error))
                continue
            data = png((index * 20, 100, 100))
            name = f"run #{index} ü?.png"
            (folder / name).write_bytes(data)
            found.append(
                ReportEntry(index, inputs, "completed", 12 - index, None, make_thumbnail(data), name)
            )
    return found


@pytest.fixture
def report(tmp_path: Path) -> str:
    path = write_report(
        tmp_path / "index.html",
        f"Sweep {HOSTILE}",
        ["Positive Prompt", "cfg"],
        entries(tmp_path),
        inputs={"steps": 30, "note": HOSTILE},
    )
    return path.as_uri()


async def cards(page: Page) -> list[int]:
    """Return the indexes of the runs whose cards are shown."""
    alts = "Array.from(grid.querySelectorAll('.shot'), (one) => one.firstChild.alt ?? one.textContent)"
    shown: list[str] = await page.run(alts)
    words = {"canceled": "Run 9", f"failed: OutOfMemoryError: {HOSTILE}": "Run 5"}
    return [int(words.get(one, one).removeprefix("Run ")) for one in shown]


async def open_menu(page: Page, field: str) -> None:
    await page.click(f"details[data-field='{field}'] > summary")
    await page.until("document.querySelector('details[open] label')")


async def choose(page: Page, field: str, *values: str) -> None:
    await open_menu(page, field)
    for value in values:
        nth = await page.run(
            f"Array.from(document.querySelectorAll('details[open] label'),"
            f" (one) => one.children[1].textContent).indexOf({value!r}) + 1"
        )
        assert nth, f"{field} has no choice {value!r}"
        await page.click(f"details[open] label:nth-of-type({nth})")
    await page.click("h1")  # close the menu


async def sort_by(page: Page, name: str) -> None:
    await page.run(f"sort.value = [...sort.options].find((one) => one.text === {name!r}).value")
    await page.run("sort.dispatchEvent(new Event('change'))")


async def boxes_of(page: Page, selector: str) -> list[list[float]]:
    """Return left, top, right and bottom of each element that matches a selector."""
    sides = "const at = one.getBoundingClientRect(); return [at.left, at.top, at.right, at.bottom];"
    found: list[list[float]] = await page.run(
        f"Array.from(document.querySelectorAll({selector!r}), (one) => {{ {sides} }})"
    )
    return found


async def seen(page: Page) -> Any:
    """Wait for the image on the stage and return its natural size."""
    await page.until("document.querySelector('#stage img')?.naturalWidth")
    return await page.run("[stage.firstChild.naturalWidth, stage.firstChild.naturalHeight]")


async def test_all_runs_are_shown_without_network(page: Page, report: str) -> None:
    await page.open(report)
    assert await cards(page) == list(range(12))
    assert await page.run("count.textContent") == "12 runs · 10 completed · 1 failed · 1 canceled"
    await page.until("Array.from(document.images).every((one) => one.naturalWidth)")
    assert await page.run("document.images[0].naturalWidth") == 256
    assert [url for url in page.requests if not url.startswith("data:")] == [report]
    assert page.complaints == []


async def test_values_are_shown_as_text(page: Page, report: str) -> None:
    await page.open(report)
    assert await page.run("document.title") == f"Sweep {HOSTILE}"
    assert await page.run("document.querySelector('h1').textContent") == f"Sweep {HOSTILE}"
    assert await page.run("document.querySelectorAll('img[src=x]').length") == 0
    values = await page.run("Array.from(grid.children[8].querySelectorAll('dd'), (one) => one.textContent)")
    assert values == [HOSTILE, "10"]
    await page.click("#fixed > summary")
    assert await page.run("fixed.querySelector('dl').innerText.split('\\n').pop()") == HOSTILE
    assert page.complaints == []


async def test_page_executes_only_its_own_script(page: Page, report: str) -> None:
    """Even if text became markup, the browser would not execute it."""
    await page.open(report)
    await page.run(
        "document.body.append(Object.assign(document.createElement('script'), {text: 'document.title = 1'}))"
    )
    await page.run(
        "document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"document.title=2\">')"
    )
    await page.until("document.querySelector('img[src=x]').complete")
    assert await page.run("document.title") == f"Sweep {HOSTILE}"
    assert any("Content Security Policy" in complaint for complaint in page.complaints)


async def test_filters_and_search(page: Page, report: str) -> None:
    await page.open(report)
    await choose(page, "cfg", "4", "6.5")
    assert await cards(page) == [1, 2, 5, 6, 9, 10]
    assert await page.run("count.textContent") == "6 of 12 runs"
    assert (
        await page.run("document.querySelector('[data-field=cfg] summary').innerText.trim()")
        == "cfg: 2 values"
    )
    await choose(page, "Positive Prompt", LONG)
    assert await cards(page) == [5, 6]
    await choose(page, "status", "failed", "completed")
    assert await cards(page) == [5, 6]
    await choose(page, "status", "completed")
    assert await cards(page) == [5]
    await page.click("#reset")
    assert await cards(page) == list(range(12))
    await page.run("search.focus()")
    await page.type("OUTOFMEMORY")
    assert await cards(page) == [5]
    await page.type("x")
    assert await cards(page) == []
    assert await page.run("note.innerText") == "No matching runs."
    assert page.complaints == []


async def test_numeric_choices_are_sorted(page: Page, report: str) -> None:
    await page.open(report)
    await open_menu(page, "cfg")
    labels = (
        "Array.from(document.querySelectorAll('details[open] label'), (one) => one.innerText.split(/\\s+/))"
    )
    assert await page.run(labels) == [["4", "3"], ["6.5", "3"], ["8", "3"], ["10", "3"]]


async def test_sort_and_reverse_order(page: Page, report: str) -> None:
    await page.open(report)
    await sort_by(page, "cfg")
    assert await cards(page) == [1, 5, 9, 2, 6, 10, 3, 7, 11, 0, 4, 8]
    await page.click("#turn")
    assert await cards(page) == [8, 4, 0, 11, 7, 3, 10, 6, 2, 9, 5, 1]
    await page.click("#turn")
    await sort_by(page, "time")
    assert await cards(page) == [11, 10, 8, 7, 6, 4, 3, 2, 1, 0, 5, 9]  # runs without a time come last
    await sort_by(page, "sweep order")
    assert await cards(page) == list(range(12))


async def test_full_size_view_by_keyboard(page: Page, report: str) -> None:
    await page.open(report)
    await page.click("#grid > li:nth-child(4) button")
    assert await seen(page) == [600, 400]
    assert await page.run("which.textContent") == "Run 3 (4 of 12)"
    values = await page.run("Array.from(values.children, (one) => one.textContent)")
    assert values == ["Positive Prompt", "a fox", "cfg", "8", "status", "completed", "time", "9 s"]
    await page.key("ArrowRight")
    assert await page.run("which.textContent") == "Run 4 (5 of 12)"
    assert LONG.strip() in await page.run("values.innerText")
    await page.key("ArrowRight")
    assert "OutOfMemoryError" in await page.run("stage.innerText")
    assert await page.run("document.getElementById('open').hidden")
    await page.key("Home")
    await page.key("ArrowLeft")
    assert await page.run("which.textContent") == "Run 0 (1 of 12)"
    await page.key("End")
    await page.key("ArrowRight")
    assert await page.run("which.textContent") == "Run 11 (12 of 12)"
    await page.key("Escape")
    assert not await page.run("viewer.open")
    await page.until(
        "document.activeElement === grid.children[11].firstChild"
    )  # focus returns to the last run viewed
    await page.key("Enter")
    await page.until("viewer.open")
    await page.click("#close")
    assert not await page.run("viewer.open")
    assert page.complaints == []


async def test_missing_image_file_is_replaced_by_the_thumbnail(
    page: Page, report: str, tmp_path: Path
) -> None:
    (tmp_path / "run #0 ü?.png").unlink()
    await page.open(report)
    await page.click("#grid > li:nth-child(1) button")
    await page.until("document.querySelector('#stage img.small')?.naturalWidth === 256")


async def test_images_embedded_in_the_page(page: Page, tmp_path: Path) -> None:
    data = png((10, 20, 30))
    path = write_report(
        tmp_path / "one.html", "t", [], [ReportEntry(0, picture=data), ReportEntry(1, picture=data)]
    )
    await page.open(path.as_uri())
    assert await cards(page) == [0, 1]
    await page.click("#grid > li:nth-child(2) button")
    assert await seen(page) == [600, 400]
    assert [url for url in page.requests if not url.startswith("data:")] == [path.as_uri()]


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("dark", [False, True])
async def test_layout_on_small_and_large_screens(page: Page, report: str, width: int, dark: bool) -> None:
    await page.size(width, 844, dark=dark)
    await page.open(report)
    await page.until("Array.from(document.images).every((one) => one.naturalWidth)")
    # Nothing is wider than the screen, and no cards overlap.
    assert await page.run("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    boxes = await boxes_of(page, "#grid > li")
    for place, one in enumerate(boxes):
        assert one[0] >= 0
        assert one[2] <= width
        for other in boxes[place + 1 :]:
            assert one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]
    paper = Image.open(io.BytesIO(await page.picture())).convert("L").getpixel((2, 2))
    assert isinstance(paper, int)
    assert (paper < 60) == dark
    # A menu stays on the screen.
    await open_menu(page, "Positive Prompt")
    ((left, _, right, _),) = await boxes_of(page, "details[open] .menu")
    assert left >= 0
    assert right <= width
    await page.click("h1")
    # So does the full-size view.
    await page.click("#grid > li:nth-child(5) button")
    await seen(page)
    ((left, top, right, bottom),) = await boxes_of(page, "#stage > img")
    assert left >= 0
    assert top >= 0
    assert right <= width
    assert bottom <= 844
    assert await page.run("values.scrollWidth <= values.clientWidth")


async def test_many_runs_are_drawn_while_scrolling(page: Page, tmp_path: Path) -> None:
    thumbnail = make_thumbnail(png((1, 2, 3), (32, 32)))
    many = (ReportEntry(index, {"seed": index, "p": HOSTILE}, thumbnail=thumbnail) for index in range(3000))
    path = write_report(tmp_path / "many.html", "many", ["seed", "p"], many)
    await page.open(path.as_uri())
    assert await page.run("grid.children.length") < 300
    scroll = "(scrollTo(0, document.body.scrollHeight), grid.children.length >= 600)"
    await page.until(scroll)
    await page.run("search.value = '2999'; search.dispatchEvent(new Event('input'))")
    assert await cards(page) == [2999]
    await page.run("search.value = ''; search.dispatchEvent(new Event('input'))")
    await page.click("#grid > li:nth-child(1) button")
    await page.key("End")
    assert await page.run("which.textContent") == "Run 2999 (3000 of 3000)"
    await page.key("Escape")
    await page.until("document.activeElement === grid.children[2999].firstChild")
    # A menu with thousands of values lists some, and search finds the others.
    await page.run("scrollTo(0, 0)")
    await open_menu(page, "seed")
    assert await page.run("document.querySelectorAll('details[open] label').length") == 300
    await page.click("details[open] input[type=search]")
    await page.type("2345")
    await page.click("details[open] label")
    assert await cards(page) == [2345]
    assert page.complaints == []


async def test_report_without_runs(page: Page, tmp_path: Path) -> None:
    path = write_report(tmp_path / "none.html", "none", ["a"], [])
    await page.open(path.as_uri())
    assert await page.run("note.innerText") == "No runs."
    assert page.complaints == []
