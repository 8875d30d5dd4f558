"""Recreate the pictures of the README and docs: a contact sheet and screenshots of the command line.

    python tools/pictures.py [NAME...]     all of them, or some: grid, inputs, run, sweep, watch, error

Set ``PYTHONPATH=tests/support`` first. The script starts an InvokeAI with tiny models. The contact sheet needs no
model: InvokeAI's image nodes process a drawing. The screenshots show a terminal of 80 columns in tmux.
"""

from __future__ import annotations

import io
import re
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from readers import fill, models_of_readers, tiny_model
from workflows import workflow

from invokeai_py_client import InvokeAIClient, LocalServer
from invokeai_py_client.server import install, install_tiny_models, make_tiny_models

ROOT = Path(__file__).resolve().parents[1]
PICTURES = ROOT / "docs" / "pictures"
COLUMNS, ROWS = 80, 36
PATIENCE = 60.0


# --------------------------------------------------------------------------- the contact sheet


def draw_lighthouse(path: Path, size: int = 384) -> None:
    """Return a drawing of a lighthouse at dusk, drawn at four times the size and scaled down for smooth edges."""
    from PIL import Image, ImageDraw

    big = 4 * size
    picture = Image.new("RGB", (big, big))
    draw = ImageDraw.Draw(picture, "RGBA")

    def at(*places: float) -> list[float]:
        return [big * place for place in places]

    top, low = (38, 34, 84), (246, 146, 88)
    for row in range(big):
        part = min(row / (0.68 * big), 1.0)
        draw.line(
            [(0, row), (big, row)],
            tuple(round(a + (b - a) * part**1.3) for a, b in zip(top, low, strict=True)),
        )
    draw.ellipse(at(0.12, 0.52, 0.34, 0.74), (255, 214, 130))
    draw.rectangle(at(0, 0.68, 1, 1), (30, 58, 96))
    for number in range(7):
        y, width = 0.71 + 0.04 * number, 0.10 + 0.03 * number
        draw.rounded_rectangle(
            at(0.23 - width / 2, y, 0.23 + width / 2, y + 0.012), big * 0.006, (255, 196, 120, 150)
        )
    draw.polygon(at(0.69, 0.235, -0.1, 0.08, -0.1, 0.36), (255, 240, 190, 70))
    draw.polygon(at(0.69, 0.235, 1.1, 0.12, 1.1, 0.33), (255, 240, 190, 50))
    draw.polygon(at(0.46, 1, 0.56, 0.80, 0.66, 0.74, 0.80, 0.76, 0.92, 0.84, 1, 0.9, 1, 1), (34, 30, 46))
    for number in range(6):
        y0, y1 = 0.30 + 0.08 * number, 0.38 + 0.08 * number
        left = [0.655 - 0.055 * (y - 0.30) / 0.48 for y in (y0, y1)]
        right = [0.735 + 0.055 * (y - 0.30) / 0.48 for y in (y0, y1)]
        colour = (196, 58, 52) if number % 2 else (244, 238, 226)
        draw.polygon(at(left[0], y0, right[0], y0, right[1], y1, left[1], y1), colour)
    draw.rectangle(at(0.645, 0.285, 0.745, 0.305), (40, 36, 50))
    draw.rectangle(at(0.665, 0.20, 0.725, 0.285), (255, 232, 150))
    draw.polygon(at(0.65, 0.20, 0.74, 0.20, 0.695, 0.145), (150, 44, 44))
    picture.thumbnail((size, size), Image.Resampling.LANCZOS)
    picture.save(path)


def make_grid(client: InvokeAIClient, folder: Path) -> None:
    """Run a sweep in one request, with a run for each cell of the sheet."""
    source = folder / "lighthouse.png"
    draw_lighthouse(source)
    document = workflow(
        "Mosaic",
        {"picture": ("image", {}), "colors": ("img_hue_adjust", {}), "mosaic": ("color_map", {})},
        ["picture.image -> colors.image", "colors.image -> mosaic.image"],
        [("picture", "image"), ("colors", "hue"), ("mosaic", "tile_size")],
        final=["mosaic"],
    )
    wf = client.workflow_repo.create_workflow(document)
    sweep = wf.sweep(tile_size=[1, 8, 24], hue=[0, 60, 150, 270], values={"image": source})
    sweep.wait()
    sheet = sweep.grid(rows="tile_size", columns="hue", cell=192)
    sheet.quantize(192).save(PICTURES / "grid.png", optimize=True)


# --------------------------------------------------------------------------- screens


class Terminal:
    """A shell in tmux, with a folder and a server."""

    def __init__(self, folder: Path, url: str) -> None:
        self._name = f"ivk-pictures-{time.monotonic_ns()}"
        environment = {
            "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
            "INVOKEAI_URL": url,
            "TERM": "xterm-256color",
            "COLORTERM": "truecolor",
            "LANG": "C.UTF-8",
            "PS1": "$ ",
        }
        shell = ["env", "-i", *(f"{name}={value}" for name, value in environment.items()), "sh"]
        size = ["-x", str(COLUMNS), "-y", str(ROWS), "-c", str(folder)]
        self._tmux("-f", "/dev/null", "new-session", "-d", "-s", self._name, *size, shlex.join(shell))
        self.until(lambda text: "$" in text)

    def type(self, line: str) -> None:
        """Type a line on an empty screen."""
        self._tmux("send-keys", "-t", self._name, "clear", "Enter")
        self.until(lambda text: text.strip() == "$")
        self._tmux("send-keys", "-t", self._name, "-l", line)
        self._tmux("send-keys", "-t", self._name, "Enter")

    def interrupt(self) -> None:
        """Press Ctrl-C and wait for the prompt."""
        self._tmux("send-keys", "-t", self._name, "C-c")
        self.until(ended)

    def until(self, is_there: Callable[[str], bool]) -> str:
        """Return the screen with its colors once it shows a text."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if is_there(self._tmux("capture-pane", "-t", self._name, "-p")):
                return self._tmux("capture-pane", "-t", self._name, "-p", "-e")
            time.sleep(0.02)
        raise TimeoutError(self._tmux("capture-pane", "-t", self._name, "-p"))

    def close(self) -> None:
        """End the shell."""
        self._tmux("kill-session", "-t", self._name)

    def _tmux(self, *words: str) -> str:
        return subprocess.run(["tmux", *words], check=True, capture_output=True, text=True).stdout


def ended(text: str) -> bool:
    """Return whether the prompt is back."""
    return text.rstrip().endswith("\n$")


def write_screen(name: str, screen: str) -> None:
    """Write a screen as an SVG that uses the viewer's fonts."""
    from rich.console import Console
    from rich.text import Text

    lines = screen.rstrip().split("\n")
    if lines[-1].strip() == "$":
        del lines[-1]
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    for line in lines:
        console.print(Text.from_ansi(line), no_wrap=True, overflow="crop", end="\n", soft_wrap=True)
    svg = console.export_svg(title=f"ivk {name}", unique_id=f"ivk-{name}")
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    svg = svg.replace("Fira Code", "ui-monospace, Menlo, Consolas")
    (PICTURES / f"{name}.svg").write_text(re.sub(r"[ \t]+\n", "\n", svg), encoding="utf-8")


def make_screens(client: InvokeAIClient, folder: Path, names: list[str]) -> None:
    """Take the screenshots with these names."""
    terminal = Terminal(folder, client.url)
    try:
        for name in names:
            {"inputs": inputs, "run": run, "sweep": sweep, "watch": watch, "error": error}[name](terminal)
    finally:
        terminal.close()


def inputs(terminal: Terminal) -> None:
    terminal.type("ivk inputs examples/text-to-image.json")
    write_screen("inputs", terminal.until(ended))


def run(terminal: Terminal) -> None:
    terminal.type('ivk run examples/text-to-image.json -s positive_prompt="a fox" -s steps=600 --preview')
    write_screen("run", terminal.until(lambda text: "▀" in text and " 4% " in text))
    terminal.interrupt()


def sweep(terminal: Terminal) -> None:
    terminal.type("ivk sweep examples/text-to-image.json -s steps=4,8 -s seed=0..5 --grid")
    terminal.until(lambda text: "5/12" in text)
    write_screen("sweep", terminal.until(ended))


def watch(terminal: Terminal) -> None:
    terminal.type(
        "ivk sweep examples/text-to-image.json -s steps=60,90 -s seed=0..3 -o hens >/dev/null 2>&1 &"
    )
    terminal.until(lambda text: "hens" in text and ended(text))
    terminal.type("ivk queue watch")
    write_screen("watch", terminal.until(lambda text: re.search(r"[3-6]\d% denoise", text) is not None))
    terminal.interrupt()
    terminal.type("ivk queue cancel --all --yes; wait")
    terminal.until(ended)


def error(terminal: Terminal) -> None:
    terminal.type("ivk run examples/text-to-image.json -s stepz=30")
    first = terminal.until(ended)
    terminal.type("ivk run examples/text-to-image.json -s steps=0")
    write_screen("error", first.rstrip().removesuffix("$") + terminal.until(ended))


def main(names: list[str]) -> int:
    everything = ["grid", "inputs", "run", "sweep", "watch", "error"]
    names = names or everything
    unknown = set(names) - set(everything)
    if unknown:
        print(f"Unknown picture: {', '.join(sorted(unknown))}. Expected: {', '.join(everything)}.")
        return 2
    PICTURES.mkdir(exist_ok=True)
    models = make_tiny_models(install(say=print), say=print)
    with tempfile.TemporaryDirectory() as temporary, LocalServer(temporary=True, say=print) as server:
        folder = Path(temporary)
        with InvokeAIClient.from_url(server.url) as client:
            if "grid" in names:
                make_grid(client, folder)
            screens = [name for name in names if name != "grid"]
            if screens:
                install_tiny_models(server.url, models)
                with models_of_readers(client):
                    fill(folder, tiny_model(client))
                    make_screens(client, folder, screens)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
