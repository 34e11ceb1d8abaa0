"""Importers of other tools read what is written for them; skipped where a tool is not installed."""

import json
from pathlib import Path

import pytest

from ssdet.formats import write_labels
from ssdet.formats.labeled import mask_of

from .test_writers import CLASSES, NAMES, labeled, some_records
from .test_writers import images as photos

images = photos  # the fixture


@pytest.mark.parametrize("masks", [False, True])
def test_datumaro_reads_the_file_for_cvat(images, tmp_path, masks):
    """Its reader wants the images beside the file, in `images`."""
    datumaro = pytest.importorskip("datumaro")
    (tmp_path / "images").symlink_to(images)
    write_labels(labeled(images, some_records(masks)), tmp_path / "labels.xml", "cvat")
    data = datumaro.Dataset.import_from(str(tmp_path / "labels.xml"), "cvat")
    names = data.categories()[datumaro.AnnotationType.label]
    items = {item.id: item.annotations for item in data}
    assert items.keys() == {str(Path(name).with_suffix("")) for name in NAMES[:4]}
    for record in some_records(masks)[:4]:
        found = items[str(Path(record.name).with_suffix(""))]
        assert [CLASSES[label] for label in record.labels] == [names[a.label].name for a in found]
        assert [a.attributes["score"] for a in found] == pytest.approx(record.scores)
        for place, one in enumerate(found):
            if masks:
                assert (one.image == mask_of(record.masks[place])).all()
            else:
                assert one.points == pytest.approx(
                    record.boxes[place], abs=0.006
                )  # it rounds to two decimals


@pytest.mark.parametrize("masks", [False, True])
def test_label_studio_accepts_the_predictions(images, tmp_path, masks):
    tool = pytest.importorskip("label_studio_sdk.label_interface")
    brush = pytest.importorskip("label_studio_sdk.converter.brush")
    records = some_records(masks)
    write_labels(labeled(images, records), tmp_path / "l.json", "labelstudio")
    interface = tool.LabelInterface((tmp_path / "l.config.xml").read_text())
    tasks = json.loads((tmp_path / "l.json").read_text())
    assert len(tasks) == 4
    for task, record in zip(tasks, records, strict=False):
        for prediction in task["predictions"]:
            assert interface.validate_prediction(prediction, return_errors=True) == []
            for place, one in enumerate(prediction["result"] if masks else ()):
                values = brush.decode_rle(one["value"]["rle"]).reshape(100, 200, 4)
                assert ((values[..., 3] > 0) == mask_of(record.masks[place])).all()
    one = tasks[0]["predictions"][0]
    one["result"][0]["from_name"] = "another"
    assert interface.validate_prediction(one, return_errors=True)
