"""A small line plot as an SVG file, without any library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

_WIDTH, _HEIGHT, _LEFT, _TOP, _BOTTOM = 640, 300, 60, 40, 45
_COLORS = ("#2563eb", "#d97706", "#059669", "#dc2626")

Points = Sequence[tuple[float, float]]


def plot(path: Path, title: str, across: str, lines: Mapping[str, Points]) -> None:
    """Write a plot.

    Args:
        path: The file.
        title: The title.
        across: The label of the horizontal axis.
        lines: The points of each line, by its label in the legend.
    """
    points = [point for line in lines.values() for point in line]
    right = max(x for x, _ in points)
    top = max(y for _, y in points) * 1.1 or 1.0
    plain = _WIDTH - _LEFT - 20, _HEIGHT - _TOP - _BOTTOM

    def at(x: float, y: float) -> str:
        return f"{_LEFT + x / right * plain[0]:.1f},{_TOP + plain[1] - y / top * plain[1]:.1f}"

    def label(x: float, y: float, text: str, anchor: str = "middle", color: str = "#444") -> str:
        return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{color}">{escape(text)}</text>'

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif" '
        f'font-size="11"><rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>',
        label(_WIDTH / 2, 18, title, color="#111"),
        label(_LEFT + plain[0] / 2, _HEIGHT - 10, across),
    ]
    for step in range(5):
        y = top * step / 4
        parts.append(f'<polyline points="{at(0, y)} {at(right, y)}" stroke="#ddd" fill="none"/>')
        parts.append(label(_LEFT - 6, float(at(0, y).split(",")[1]) + 4, f"{y:.3g}", "end"))
    for x in sorted({x for x, _ in points}):
        parts.append(label(float(at(x, 0).split(",")[0]), _HEIGHT - _BOTTOM + 16, f"{x:g}"))
    for number, (name, line) in enumerate(lines.items()):
        color = _COLORS[number % len(_COLORS)]
        drawn = " ".join(at(*point) for point in line)
        parts.append(f'<polyline points="{drawn}" stroke="{color}" stroke-width="2" fill="none"/>')
        parts += [
            f'<circle cx="{x}" cy="{y}" r="3" fill="{color}"/>'
            for x, y in (p.split(",") for p in drawn.split())
        ]
        parts.append(label(_LEFT + 8 + number * 190, 34, f"— {name}", "start", color))
    path.write_text("\n".join([*parts, "</svg>\n"]))
