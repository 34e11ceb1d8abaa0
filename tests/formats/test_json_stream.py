"""Lists of a JSON file are read one item at a time, and as strictly as by `json.loads`."""

import json
import time
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssdet.formats import DataError, coco, json_stream
from ssdet.formats.json_stream import JsonFile

from ..fuzzing import tries

plain = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
values = st.recursive(
    plain, lambda v: st.lists(v, max_size=4) | st.dictionaries(st.text(), v, max_size=4)
)
objects = st.dictionaries(st.text(), st.lists(values, max_size=6) | values, max_size=5)


@pytest.fixture(params=[3, 1 << 20])
def piece(request, monkeypatch):
    """Bytes that are read at a time: values that are cut anywhere, and whole files."""
    monkeypatch.setattr(json_stream, "_PIECE", request.param)


def written(tmp_path, text):
    path = tmp_path / "a.json"
    path.write_bytes(text.encode(errors="surrogatepass") if isinstance(text, str) else text)
    return path


@tries(100)
@given(content=objects, ascii=st.booleans(), indent=st.sampled_from([None, 1]))
def test_it_reads_what_json_reads(tmp_path, piece, content, ascii, indent):
    path = written(tmp_path, json.dumps(content, ensure_ascii=ascii, indent=indent))
    if not ascii and any(0xD800 <= ord(c) < 0xE000 for c in path.read_text(errors="replace")):
        return
    assert JsonFile(path).whole() == content


@tries(100)
@given(content=objects, data=st.data())
def test_it_refuses_what_json_refuses(tmp_path, piece, content, data):
    text = json.dumps(content)
    place = data.draw(st.integers(0, len(text) - 1))
    text = text[:place] + data.draw(st.sampled_from(["", "]", "}", ",", '"', "1", " x"]))
    text += data.draw(st.sampled_from(["", text[place + 1 :]]))
    path = written(tmp_path, text)
    try:
        expected = json.loads(text)
    except ValueError:
        with pytest.raises(DataError, match=r"line 1, column \d+: not a JSON|a list|a st|a nu"):
            JsonFile(path)
    else:
        assert not isinstance(expected, dict) or JsonFile(path).whole() == expected


def test_the_place_of_a_mistake_is_that_of_json(tmp_path, piece):
    text = '{"images": [\n {"id": 1},\n {"id": ü}]}'
    with pytest.raises(json.JSONDecodeError) as theirs:
        json.loads(text)
    with pytest.raises(DataError, match=f"line 3, column {theirs.value.colno}: .*Expecting value"):
        JsonFile(written(tmp_path, text))


@pytest.mark.parametrize(
    "data, text",
    [
        (b'{"images": [1, 2\n, "\xe9"]}', "line 2: text is not UTF-8: .* 0xe9 at position 20"),
        (b"", "an empty file"),
        (b" \n", "an empty file"),
        (b'{"a": 1} 2', "column 10: not a JSON file: found Extra data"),
        (b'{"a": [' + b"[" * 100_000, "RecursionError"),
        (b'{"a": ' + b"1" * 100_000 + b"}", "ValueError"),
    ],
)  # fmt: skip
def test_faults_are_named(tmp_path, piece, data, text):
    with pytest.raises(DataError, match=text):
        JsonFile(written(tmp_path, data))


def test_a_byte_order_mark_is_no_fault(tmp_path, piece):
    path = written(tmp_path, b'\xef\xbb\xbf{"a": [1, 2]}')
    assert JsonFile(path).whole() == {"a": [1, 2]} and list(JsonFile(path)["a"]) == [1, 2]


def entries(count, image):
    """The text of a COCO file with that many boxes; `image(n)` is the image of a box."""
    boxes = (
        f'{{"id": {n}, "image_id": {image(n)}, "category_id": 1, "bbox": [1, 2, 3, 4], "area": 12}}'
        for n in range(count)
    )
    images = ", ".join(f'{{"id": {n}, "file_name": "{n}.jpg"}}' for n in range(10))
    yield f'{{"images": [{images}], "categories": [{{"id": 1, "name": "a"}}], "annotations": ['
    for n, box in enumerate(boxes):
        yield f", {box}" if n else box
    yield "]}"


def test_memory_does_not_grow_with_the_file(tmp_path):
    path = tmp_path / "large.json"
    with path.open("w") as file:
        file.writelines(entries(30_000, lambda n: n % 10))
    assert path.stat().st_size > 2e6
    tracemalloc.start()
    opened = coco.open_coco(path)
    total = sum(entry["bbox"][2] for entry in opened["annotations"])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert total == 90_000 and len(opened["annotations"]) == 30_000
    assert peak < 6e6, "json.loads needs 18 MB"


def test_too_many_boxes_of_one_image_are_refused_before_the_end(tmp_path, monkeypatch):
    monkeypatch.setattr(coco, "MOST_OBJECTS", 1000)
    path = tmp_path / "a.json"
    path.write_text("".join(entries(1001, lambda n: 7)) + "rubbish that is never read")
    with pytest.raises(DataError, match="too many annotations: found more than 1000"):
        coco.open_coco(path)
    path.write_text("".join(entries(1000, lambda n: 7)))
    coco.open_coco(path)


def test_one_value_cannot_fill_the_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(json_stream, "LONGEST", 1000)
    monkeypatch.setattr(json_stream, "_PIECE", 100)
    for text in ('{"a": [[%s]]}', '{"a": {"b": [%s]}}', '{"a": ["%s"]}'):
        start, _, end = text.partition("%s")
        JsonFile(written(tmp_path, start + "1, " * 20 + "1" + end))
        with pytest.raises(DataError, match="JSON value that is too long"):
            JsonFile(written(tmp_path, start + "1, " * 2000 + "1" + end))
    several = ", ".join(f'"{n}": "{"x" * 90}"' for n in range(20))
    with pytest.raises(DataError, match="JSON value that is too long"):
        JsonFile(written(tmp_path, f"{{{several}}}"))


@pytest.mark.long
def test_ten_million_boxes_of_one_image_end_within_seconds(tmp_path):
    path = tmp_path / "a.json"
    with path.open("w") as file:
        file.writelines(entries(10_000_000, lambda n: 7))
    start = time.process_time()
    tracemalloc.start()
    with pytest.raises(DataError, match="too many annotations"):
        coco.open_coco(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    path.unlink()
    assert time.process_time() - start < 5 and peak < 1e8
