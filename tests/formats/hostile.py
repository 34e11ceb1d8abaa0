"""Inputs made to break a reader: valid files with a few changes, or with values nobody expects."""

import copy
import json
import random
import signal
from contextlib import contextmanager

from ssdet.formats import FORMATS, DataError, examine

from . import miniature

SECONDS = 10  # of computing for one input; a reader that takes longer hangs
PATIENCE = 30  # times as long by the clock, where it waits instead, or others keep the processor

VALUES = [
    None, True, 0, -1, 2**31, 2**63, 10**400, 0.5, -0.0, float("nan"), float("inf"), 1e308, "", " ",
    "1", "nan", "a" * 300, "../../etc/passwd", "/etc/passwd", "C:\\a.jpg", "~/.ssh/id", "a\0b.jpg",
    "<script>alert(1)</script>", "{{7*7}}", "$(touch /tmp/x)", "http://[::1", "\x1b[2J", "\ud800",
    "\u202egpj.exe",
    "__import__('os').system('x')", "!!python/object/apply:os.system ['x']", [], {}, [[]], [None],
    {"a": 1}, [1, 2, 3, 4], [1e300] * 4, [[1, 2, 3, 4, 5, 6]], [[0, 0, 1e9, 0, 5, 1e9]], "o" * 200,
    {"size": [48, 64], "counts": "o" * 50}, {"size": [2**20, 2**20], "counts": [2**40]},
    {"size": [48, 64], "counts": [-1, 3073]}, {"counts": {}}, {"size": "x", "counts": [1]},
]  # fmt: skip
TOKENS = [
    b"\0", b"\xff", b"\xef\xbb\xbf", b"<", b">", b"&a;", b"]]>", b"<![CDATA[", b"<!ENTITY a 'b'>",
    b"<!--", b"{", b"}", b"[", b"]", b'"', b",", b":", b"\n", b"\r", b" ", b"\t", b"-", b"1e999",
    b"NaN", b"../", b"*a", b"&a ", b"!!int x", b"2024-13-45", b"? ", b"- ", b"%", b"\\u0000",
]  # fmt: skip

LAYOUTS = {
    "coco": lambda root: miniature.write_json(root / "a.json", miniature.coco_records(6)),
    "voc": lambda root: miniature.voc_data(root, 2),
    "yolo": lambda root: miniature.yolo_data(root, 2),
    "labelme": lambda root: miniature.labelme_data(root, 2),
    "cvat": lambda root: miniature.cvat_data(root, 2),
    "labelstudio": lambda root: miniature.labelstudio_data(root, 2),
    "huggingface": lambda root: huggingface(root),
    "voc-masks": lambda root: miniature.voc_masks(root, 2, 0, 1),
    "cityscapes": lambda root: miniature.cityscapes(root, 2, 1),
    "cityscapes-instances": lambda root: miniature.cityscapes(root, 2, 1),
    "masks": lambda root: masks(root, "images", "masks"),
    "ade": lambda root: masks(root, "images/training", "annotations/training"),
    "list": lambda root: listed(root),
}
assert set(LAYOUTS) == set(FORMATS)


def masks(root, images, labels):
    """Pairs of image and label map in two folders."""
    import numpy as np

    for n in range(2):
        miniature.picture(root / images / f"{n}.jpg", seed=n)
        (root / labels).mkdir(parents=True, exist_ok=True)
        miniature.gray_png(root / labels / f"{n}.png", np.full((48, 64), n, np.uint8))
    return root


def huggingface(root):
    """An image folder with a table."""
    boxes = dict(bbox=[[4, 4, 20, 20], [30, 6, 9, 9]], categories=["cat", "dog"])
    lines = []
    for n in range(2):
        miniature.picture(root / f"{n}.jpg", seed=n)
        lines.append(json.dumps(dict(file_name=f"{n}.jpg", objects=boxes)))
    (root / "metadata.jsonl").write_text("\n".join(lines))
    names = "features: [{class_label: {names: {'0': cat, '1': dog}}}]"
    (root / "README.md").write_text(f"---\ndataset_info: {{{names}}}\n---\n# Pictures\n")
    return root


def listed(root):
    """A list of such pairs."""
    masks(root, "images", "masks")
    path = root / "a.txt"
    path.write_text("images/0.jpg masks/0.png\nimages/1.jpg masks/1.png\n")
    return path


class Attack:
    """One data set, and the changes of its files; each is undone before the next one."""

    def __init__(self, format, folder, seed=0):
        self.format, self.random = format, random.Random(f"{format} {seed}")
        self.reading = {"images": folder / "media"} if format == "labelstudio" else {}
        self.source = LAYOUTS[format](folder)
        top = folder if self.source is None else self.source
        self.source = top
        self.files = sorted(path for path in folder.rglob("*") if path.is_file())
        texts = (".json", ".jsonl", ".xml", ".txt", ".yaml", ".md")
        self.texts = [path for path in self.files if path.suffix in texts] or self.files

    def run(self, count):
        """Read the data set `count` times, changed each time; a reader may say what it likes."""
        outcomes = {"read": 0, "refused": 0}
        for number in range(count):
            path = self.random.choice(self.texts if number % 4 else self.files)
            before = path.read_bytes()
            overwrite(path, changed(before, path.suffix, self.random))
            try:
                with limit(SECONDS):
                    data, issues = examine(self.source, self.format, **self.reading)
                    self.use(data)
                for issue in issues:
                    assert str(issue).isprintable(), issue
                outcomes["refused" if data is None else "read"] += 1
            except Exception as error:
                keep = path.with_suffix(path.suffix + ".hostile")
                keep.write_bytes(path.read_bytes())
                raise AssertionError(f"{self.format}: {error!r} for {keep}") from error
            finally:
                overwrite(path, before)
        return outcomes

    @staticmethod
    def use(data):
        """Go through what was read, label maps included."""
        for record in data.records if data else ():
            assert not record.name.startswith(("/", "..")) and record.name.encode(
                "utf-8", "replace"
            )
            try:
                labels = data.labels_in(record)
            except DataError:
                continue
            assert all(0 <= label < len(data.classes) for label in labels)
            for instance in record.instances:
                x1, y1, x2, y2 = instance.box
                assert x1 < x2 and y1 < y2, instance


def overwrite(path, data):
    """In place: a file system writes to the disk what was emptied first, which takes 7 ms."""
    with path.open("r+b") as file:
        file.write(data)
        file.truncate()


def changed(data, suffix, draw):
    """A file with one to three changes."""
    if suffix == ".jsonl" and draw.random() < 0.7:
        lines = data.splitlines()
        number = draw.randrange(len(lines))
        lines[number] = changed(lines[number], ".json", draw)
        return b"\n".join(lines)
    if suffix == ".json" and draw.random() < 0.7:
        content = json.loads(data)
        for _ in range(draw.choice((1, 1, 2, 3))):
            content = planted(content, draw)
        return json.dumps(content, ensure_ascii=draw.random() < 0.5).encode(errors="replace")
    for _ in range(draw.choice((1, 1, 2, 3))):
        data = cut(data, draw)
    return data


def planted(content, draw):
    """A hostile value at a random place of a JSON object."""
    node, value = content, copy.deepcopy(draw.choice(VALUES))
    while isinstance(node, (dict, list)) and node:
        keys = list(node) if isinstance(node, dict) else range(len(node))
        key = draw.choice(keys)
        if draw.random() < 0.25 or not isinstance(node[key], (dict, list)) or not node[key]:
            what = draw.random()
            if what < 0.15:
                del node[key]
            elif what < 0.25 and isinstance(node, list):
                node.append(node[key])
            else:
                node[key] = value
            break
        node = node[key]
    return content


def cut(data, draw):
    """Bytes that are changed, put in, taken out or repeated."""
    place, kind = draw.randrange(len(data) + 1), draw.randrange(6)
    end = min(len(data), place + draw.choice((1, 2, 8, 64)))
    if kind == 0:
        return data[:place]
    if kind == 1:
        return data[:place] + data[end:]
    if kind == 2:
        return data[:end] + data[place:end] * draw.choice((1, 2, 500)) + data[end:]
    if kind == 3 and place < len(data):
        flipped = data[place] ^ (1 << draw.randrange(8))
        return data[:place] + bytes([flipped]) + data[place + 1 :]
    return data[:place] + draw.choice(TOKENS) + data[place if kind == 4 else end :]


@contextmanager
def limit(seconds):
    """An error where a block computes for longer, on however busy a machine, or never ends."""

    def stop(*_):
        raise TimeoutError(f"still reading after {seconds} s")

    timers = {signal.ITIMER_PROF: (signal.SIGPROF, seconds),
              signal.ITIMER_REAL: (signal.SIGALRM, PATIENCE * seconds)}  # fmt: skip
    before = {number: signal.signal(number, stop) for number, _ in timers.values()}
    for timer, (_, end) in timers.items():
        signal.setitimer(timer, end)
    try:
        yield
    finally:
        for timer in timers:
            signal.setitimer(timer, 0)
        for number, handler in before.items():
            signal.signal(number, handler)
