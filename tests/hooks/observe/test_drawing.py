"""What is drawn where, on pictures of a few pixels."""

import numpy as np

from ssdet.hooks._parts.drawing import (
    BoxGroup,
    class_colors,
    draw_boxes,
    fit,
    paint_pixels,
    save_jpeg,
)

BLACK = np.zeros((50, 100, 3), np.uint8)
BOX = np.array([[20, 10, 60, 40]], dtype=np.float32)


def border(picture, color):
    """How many of the pixels of the box's upper border have about this color."""
    row = picture[20, 40:120].astype(int)
    return int((np.abs(row - color).sum(-1) < 90).sum())


def test_kept_is_solid_in_its_color_dropped_is_dashed_gray():
    kept = draw_boxes(BLACK, [BoxGroup("kept", BOX, [""], [(255, 0, 0)])], 200)
    dropped = draw_boxes(BLACK, [BoxGroup("dropped", BOX, [""])], 200)
    assert kept.shape == (100, 200, 3)
    assert border(kept, (255, 0, 0)) > 75
    dashes = border(dropped, (188, 192, 200))
    assert 20 < dashes < 70 and border(dropped, (255, 0, 0)) == 0


def test_ignore_regions_are_hatched_inside_and_kept_boxes_are_not():
    inside = (slice(30, 70), slice(60, 100))
    ignored = draw_boxes(BLACK, [BoxGroup("ignored", BOX)], 200)
    kept = draw_boxes(BLACK, [BoxGroup("kept", BOX, [], [(255, 0, 0)])], 200)
    assert 0.05 < (ignored[inside].max(-1) > 60).mean() < 0.9
    assert kept[inside].max() == 0


def test_masks_are_tinted():
    mask = np.zeros((1, 50, 100), bool)
    mask[0, 20:30, 30:50] = True
    picture = draw_boxes(BLACK, [BoxGroup("kept", BOX, [], [(200, 0, 0)], mask)], 200)
    assert picture[50, 80, 0] == 90 and picture[70, 110, 0] == 0


def test_text_of_a_class_is_not_read_as_mathematics():
    draw_boxes(BLACK, [BoxGroup("kept", BOX, ["$\\frac{"], [(255, 0, 0)])], 100)


def test_pixels_kept_are_colored_and_dropped_are_gray():
    image = np.full((2, 2, 3), 100, np.uint8)
    labels = np.array([[0, 1], [1, 255]])
    kept = np.array([[True, True], [False, True]])
    colors = [(0, 0, 0), (255, 0, 0)]
    picture = paint_pixels(image, labels, colors, kept=kept, size=40)
    assert picture.shape == (40, 40, 3)
    assert picture[10, 10].tolist() == [70, 70, 70]  # background: 0.7 of the picture
    assert picture[10, 30].tolist() == [196, 38, 38]  # 0.38 * 100 + 0.62 * 255
    assert (np.ptp(picture[25:35, 5:15], axis=-1) == 0).all()  # gray
    assert picture[30, 30].tolist() == [100, 100, 100]  # no label: as it is


def test_the_longer_side_decides():
    picture, scale = fit(BLACK, 50)
    assert picture.shape == (25, 50, 3) and scale == 0.5


def test_colors_of_the_data_set_or_a_list_that_repeats():
    assert class_colors(2, [[1, 2, 3], [4, 5, 6], [7, 8, 9]]) == [(1, 2, 3), (4, 5, 6)]
    assert len(class_colors(25)) == 25 and class_colors(25, [[1, 2, 3]])[0] != (1, 2, 3)


def test_a_strange_file_name_is_no_matter(tmp_path):
    path = tmp_path / "a 'b\".png"
    save_jpeg(path, BLACK)
    assert path.read_bytes()[:2] == b"\xff\xd8"
