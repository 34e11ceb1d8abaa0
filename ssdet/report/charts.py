"""Line charts as inline SVG: no script, no font file, colors from the page's style sheet.

Every string that comes from a run is escaped; what these functions return is safe to embed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

WIDTH, HEIGHT = 460, 260
LEFT, RIGHT, TOP, BOTTOM = 48, 14, 14, 42
MAX_POINTS = 400

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Series:
    """One line of a chart.

    Attributes:
        name: Written into the legend; "" leaves it out.
        points: (iteration, value), by rising iteration.
        style: CSS class that gives the color: "teacher", "student", "baseline", "c0" ... "c7".
        dots: Mark each point and let it say its value.
        faint: Drawn pale, below the others.
    """

    name: str
    points: Points
    style: str = "c0"
    dots: bool = False
    faint: bool = False


def line_chart(
    series: Sequence[Series],
    *,
    title: str,
    unit: str = "",
    floor: float | None = None,
    log: bool = False,
    axis: str = "iteration",
) -> Markup:
    """A chart of values over iterations, with its legend; empty if there is nothing to draw.

    Args:
        series: The lines.
        title: Says what is drawn, for readers who cannot see it.
        unit: Written after the values of the y axis.
        floor: Lowest value that the y axis must reach.
        log: Logarithmic y axis (only if all values are above 0).
        axis: What the x axis is; anything but the iteration goes from 0 to 1.
    """
    series = [Series(s.name, _thin(s.points), s.style, s.dots, s.faint) for s in series if s.points]
    if not series:
        return Markup("")
    values = [y for s in series for _, y in s.points]
    log = log and min(values) > 0 and max(values) > 3 * min(values)
    ticks = _log_ticks(values) if log else nice_ticks(min([*values, *_given(floor)]), max(values))
    y_at = _scale(ticks[0], ticks[-1], HEIGHT - BOTTOM, TOP, log)
    x_last = max(x for s in series for x, _ in s.points) or 1
    x_last = x_last if axis == "iteration" else 1.0
    x_ticks = nice_ticks(0, x_last, most=5)
    x_at = _scale(0, x_last, LEFT, WIDTH - RIGHT)
    parts = [
        _grid(ticks, y_at, unit),
        _x_axis([t for t in x_ticks if t <= x_last], x_at, axis),
        *(_line(s, x_at, y_at, axis, unit) for s in sorted(series, key=lambda s: not s.faint)),
    ]
    drawing = Markup(
        '<svg viewBox="0 0 {w} {h}" role="img" aria-label="{t}">{body}</svg>{legend}'
    ).format(w=WIDTH, h=HEIGHT, t=title, body=Markup("").join(parts), legend=_legend(series))
    return drawing


def smooth(points: Points, window: int) -> list[tuple[float, float]]:
    """Mean over the last `window` points."""
    values = [y for _, y in points]
    sums = [0.0]
    for value in values:
        sums.append(sums[-1] + value)
    means = []
    for i, (x, _) in enumerate(points):
        first = max(0, i + 1 - window)
        means.append((x, (sums[i + 1] - sums[first]) / (i + 1 - first)))
    return means


def nice_ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round numbers that cover [low, high]."""
    if high - low < 1e-9 * max(abs(high), 1e-9):
        pad = abs(high) * 0.5 or 1.0
        low, high = (0.0 if high >= 0 else low - pad), high + pad
    raw = (high - low) / max(most - 1, 1)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= raw * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(i * step, 10) for i in range(first, last + 1)]


def short(value: float) -> str:
    """A number as short as it can be read: 1200 -> 1.2k, 0.0500 -> 0.05."""
    if abs(value) >= 1e6:
        return f"{value / 1e6:.3g}M"
    if abs(value) >= 1e4 or (abs(value) >= 1e3 and value % 100 == 0):
        return f"{value / 1e3:.3g}k"
    return f"{value:.3g}" if abs(value) < 1e3 else f"{value:.0f}"


def _log_ticks(values: Sequence[float]) -> list[float]:
    low, high = math.log10(min(values)), math.log10(max(values))
    steps = (1, 3) if high - low < 3 else (1,)
    ticks = [m * 10.0**p for p in range(math.floor(low) - 1, math.ceil(high) + 2) for m in steps]
    first = max(i for i, t in enumerate(ticks) if t <= min(values) * 1.0001)
    last = min(i for i, t in enumerate(ticks) if t >= max(values) * 0.9999)
    return [round(t, 10) for t in ticks[first : last + 1]]


def _scale(
    low: float, high: float, start: float, end: float, log: bool = False
) -> Callable[[float], float]:
    change: Callable[[float], float] = math.log10 if log else float
    a, b = change(low), change(high)
    return lambda value: start + (change(value) - a) / ((b - a) or 1.0) * (end - start)


def _grid(ticks: Sequence[float], y_at: Callable[[float], float], unit: str) -> Markup:
    row = Markup(
        '<line class="grid" x1="{l}" x2="{r}" y1="{y}" y2="{y}"/>'
        '<text class="tick" x="{t}" y="{ty}" text-anchor="end">{label}{unit}</text>'
    )
    return Markup("").join(
        row.format(
            l=LEFT, r=WIDTH - RIGHT, y=_px(y_at(v)), t=LEFT - 6, ty=_px(y_at(v) + 4.5),
            label=short(v), unit=unit,
        )
        for v in ticks
    )  # fmt: skip


def _x_axis(ticks: Sequence[float], x_at: Callable[[float], float], axis: str) -> Markup:
    label = Markup('<text class="tick" x="{x}" y="{y}" text-anchor="middle">{text}</text>')
    marks = [label.format(x=_px(x_at(v)), y=HEIGHT - BOTTOM + 18, text=short(v)) for v in ticks]
    name = Markup('<text class="axis" x="{x}" y="{y}" text-anchor="end">{name}</text>')
    return Markup("").join([*marks, name.format(x=WIDTH - RIGHT, y=HEIGHT - 4, name=axis)])


def _line(
    series: Series,
    x_at: Callable[[float], float],
    y_at: Callable[[float], float],
    axis: str,
    unit: str,
) -> Markup:
    path = " ".join(f"{_px(x_at(x))},{_px(y_at(y))}" for x, y in series.points)
    faint = " faint" if series.faint else ""
    parts = [Markup('<polyline class="line {s}{f}" points="{p}"/>').format(
        s=series.style, f=faint, p=path
    )]  # fmt: skip
    if series.dots or len(series.points) == 1:
        dot = Markup('<circle class="dot {s}" cx="{x}" cy="{y}" r="3"><title>{t}</title></circle>')
        parts += [
            dot.format(
                s=series.style, x=_px(x_at(x)), y=_px(y_at(y)),
                t=f"{series.name}, {axis} {x:g}: {y:.4g}{unit}",
            )
            for x, y in series.points
        ]  # fmt: skip
    return Markup("").join(parts)


def _legend(series: Sequence[Series]) -> Markup:
    names = {s.name: s.style for s in series if s.name}
    item = Markup('<li><i class="key {s}"></i>{n}</li>')
    items = Markup("").join(item.format(s=style, n=name) for name, style in names.items())
    return Markup('<ul class="legend">{}</ul>').format(items) if names else Markup("")


def _thin(points: Points) -> Points:
    """At most MAX_POINTS points, the last one among them."""
    every = -(-len(points) // MAX_POINTS)
    return points if every <= 1 else [*points[:-1:every], points[-1]]


def _given(value: float | None) -> list[float]:
    return [] if value is None else [value]


def _px(value: float) -> str:
    return str(escape(f"{value:.1f}"))
