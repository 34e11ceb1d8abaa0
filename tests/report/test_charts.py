"""Ticks, means and coordinates of the charts, by hand."""

import xml.etree.ElementTree as ET

import pytest

from ssdet.report.charts import MAX_POINTS, Series, line_chart, nice_ticks, short, smooth


@pytest.mark.parametrize(
    "low, high, ticks",
    [
        (0, 50, [0, 10, 20, 30, 40, 50]),
        (0, 0.93, [0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        (-3, 2, [-3, -2, -1, 0, 1, 2]),
        (5, 5, [0, 2, 4, 6, 8]),
        (0, 0, [0, 0.2, 0.4, 0.6, 0.8, 1.0]),
    ],
)
def test_ticks_are_round_and_cover_the_values(low, high, ticks):
    assert nice_ticks(low, high) == pytest.approx(ticks)


def test_smooth_is_the_mean_of_the_last_values():
    points = [(1, 2.0), (2, 4.0), (3, 9.0)]
    assert smooth(points, 2) == [(1, 2.0), (2, 3.0), (3, 6.5)]


@pytest.mark.parametrize(
    "value, text", [(0.05, "0.05"), (12.0, "12"), (1200, "1.2k"), (1234, "1234"), (2.5e6, "2.5M")]
)
def test_short_numbers(value, text):
    assert short(value) == text


def drawing(*series, **options):
    text = str(line_chart(series, title="t", **options))
    return ET.fromstring(text[: text.index("</svg>") + 6]), text


def test_points_are_where_their_values_say():
    svg, _ = drawing(Series("a", [(0, 0.0), (50, 25.0), (100, 50.0)], dots=True))
    points = svg.find("polyline").get("points").split()
    (x0, y0), (x1, y1), (x2, y2) = (map(float, p.split(",")) for p in points)
    assert x1 - x0 == pytest.approx(x2 - x1) and y0 - y1 == pytest.approx(y1 - y2, abs=0.11)
    assert x2 > x0 and y2 < y0
    assert svg.find("circle/title").text == "a, iteration 0: 0"


def test_a_logarithmic_axis_gives_equal_steps_to_equal_factors():
    svg, _ = drawing(Series("a", [(0, 1.0), (1, 10.0), (2, 100.0)]), log=True)
    ys = [float(p.split(",")[1]) for p in svg.find("polyline").get("points").split()]
    assert ys[0] - ys[1] == pytest.approx(ys[1] - ys[2], abs=0.11)


def test_zero_turns_the_logarithm_off():
    svg, _ = drawing(Series("a", [(0, 0.0), (1, 100.0)]), log=True)
    assert svg.find("polyline") is not None


def test_names_are_escaped_and_long_series_thinned():
    points = [(i, float(i)) for i in range(5000)]
    svg, text = drawing(Series("<script>", points))
    assert "<script>" not in text and "&lt;script&gt;" in text
    drawn = svg.find("polyline").get("points").split()
    assert len(drawn) <= MAX_POINTS + 1


def test_nothing_to_draw_is_nothing():
    assert line_chart([Series("a", [])], title="t") == ""
