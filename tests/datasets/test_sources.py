"""Images by number: what a source lists, and what it does not let through."""

import io
import json
import os
import tarfile

import fsspec
import pytest
from mmengine import fileio
from PIL import Image

from ssdet.datasets import UnlabeledImages, sources, tar_index
from ssdet.datasets.byte_cache import ByteCache
from ssdet.datasets.image_list import UnlabeledError
from ssdet.datasets.name_list import NameList
from ssdet.datasets.remote import RemoteError, read_bytes, retried, size_of_image
from ssdet.datasets.sources import SourceError, open_source
from ssdet.datasets.tar_index import TarError, open_tars
from ssdet.exits import UsageError
from ssdet.formats import DataError


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "photos"
    for name in ("b.jpg", "a/1.PNG", "a/z.txt", ".hidden/x.jpg", "Füße/ü.jpg"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def test_a_folder_a_pattern_and_a_sequence(folder):
    source = open_source(folder)
    assert list(source.names) == ["Füße/ü.jpg", "a/1.PNG", "b.jpg"]
    assert source.address(1) == str(folder / "a/1.PNG") and source.id(1) is None
    assert list(open_source(f"{folder}/*/*.PNG").names) == ["a/1.PNG"]
    assert list(open_source(str(folder / "b.jpg")).names) == ["b.jpg"]
    given = open_source([str(folder / "b.jpg"), "a/1.PNG"], root=str(folder))
    assert list(given.names) == ["b.jpg", "a/1.PNG"]


@pytest.mark.parametrize("text", ["b.jpg\na/1.PNG", "b.jpg\r\n\na/1.PNG a/m.png\n", "ü.jpg\n"])
def test_a_list(folder, text):
    path = folder / "list.txt"
    path.write_bytes(text.encode())
    expected = ["ü.jpg"] if text.startswith("ü") else ["b.jpg", "a/1.PNG"]
    assert list(open_source(path).names) == expected
    assert open_source(path).checksum() == open_source(expected, root=str(folder)).checksum()


def test_a_list_with_whole_paths(folder, tmp_path):
    path = tmp_path / "list.txt"
    path.write_text(f"{folder}/b.jpg\n{folder}/a/1.PNG\n")
    source = open_source(path, root=str(folder))
    assert list(source.names) == ["b.jpg", "a/1.PNG"]


def test_a_coco_file(folder):
    entries = [{"id": 5, "file_name": "b.jpg"}, {"id": "x", "file_name": "gone.jpg"}]
    content = dict(images=entries, annotations=[], categories=[{"id": 3, "name": "cat"}])
    (folder / "coco.json").write_text(json.dumps(content))
    source = open_source(folder / "coco.json")
    assert list(source.names) == ["b.jpg", "gone.jpg"] and source.ids == [5, "x"]
    assert source.categories == {"cat": 3}


def test_no_path_leads_out(folder, tmp_path):
    (tmp_path / "secret.jpg").touch()
    os.symlink(tmp_path / "secret.jpg", folder / "link.jpg")
    source = open_source(folder)
    with pytest.raises(DataError, match="symbolic link out of the data folder"):
        source.address(list(source.names).index("link.jpg"))
    (folder / "list.txt").write_text("../secret.jpg\n")
    with pytest.raises(DataError, match="leads out of the data folder"):
        open_source(folder / "list.txt").address(0)
    os.symlink(folder, folder / "a" / "again")  # no end
    assert len(open_source(folder)) == 4


def test_what_is_not_there(folder, tmp_path):
    with pytest.raises(SourceError, match="no such file or folder"):
        open_source(tmp_path / "nothing")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UnlabeledError, match="no image in"):
        open_source(tmp_path / "empty")


def test_names_in_the_memory_of_their_letters():
    texts = [f"folder/{n}-é.jpg" for n in range(1000)]
    names = NameList.of(texts)
    assert list(names) == texts and names[999] == texts[999] and len(names.blob) < 20 * 1000
    again = NameList.of_lines("\n".join(texts).encode())
    assert list(again) == texts and again.checksum() == names.checksum()
    with pytest.raises(IndexError):
        names[1000]
    assert len(NameList.of([])) == 0


# ---------------------------------------------------------------------- elsewhere


@pytest.fixture
def bucket():
    """A `memory://` folder with two images, a text file and a list."""
    fs = fsspec.filesystem("memory")
    for name, size in (("a.png", (7, 5)), ("sub/b.png", (6, 4))):
        fs.pipe(f"/photos/{name}", png(size))
    fs.pipe("/photos/notes.md", b"no image")
    fs.pipe("/photos/list.txt", b"sub/b.png\n")
    yield "memory://photos"
    fs.store.clear()
    fs.pseudo_dirs[:] = [""]


def png(size, color=0):
    file = io.BytesIO()
    Image.new("RGB", size, (color, 0, 0)).save(file, "PNG")
    return file.getvalue()


def test_an_address(bucket):
    source = open_source(bucket)
    assert list(source.names) == ["a.png", "sub/b.png"]
    assert source.address(1) == "memory://photos/sub/b.png"
    assert fileio.get(source.address(0)) == png((7, 5))
    assert list(open_source(f"{bucket}/list.txt").names) == ["sub/b.png"]
    assert open_source(f"{bucket}/list.txt").address(0) == "memory://photos/sub/b.png"
    assert list(open_source(f"{bucket}/a.png").names) == ["a.png"]
    with pytest.raises(SourceError, match="nothing is there"):
        open_source("memory://elsewhere")
    with pytest.raises(DataError, match="leads out of"):
        open_source(["../x.png"], root=bucket).address(0)
    with pytest.raises(UsageError, match="Protocol not known: zz"):
        open_source("zz://bucket/photos")


def test_whole_addresses(bucket, tmp_path):
    places = [f"{bucket}/sub/b.png", f"{bucket}/a.png"]
    source = open_source(places)
    assert (source.root, list(source.names)) == (bucket, ["sub/b.png", "a.png"])
    assert [source.address(n) for n in range(2)] == places
    assert open_source(places[:1]).root == f"{bucket}/sub"
    shards = tmp_path / "shards"
    shards.mkdir()
    for n in range(2):
        write_tar(shards / f"{n}.tar", {"a/k.png": png((9, 8))})
    packed = open_source(str(shards))
    places = [packed.address(n) for n in (1, 0)]
    source = open_source(places)
    assert (source.root, list(source.names)) == (str(shards), ["1.tar!a/k.png", "0.tar!a/k.png"])
    assert [source.address(n) for n in range(2)] == places
    for other in ("s3://bucket/a.png", "a.png"):
        with pytest.raises(SourceError, match="no folder in common"):
            open_source([f"{bucket}/a.png", other])


def write_tar(path, members, **options):
    with tarfile.open(path, "w", **options) as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))


LONG_NAME = "x" * 122 + ".jpg"


def test_where_the_parts_of_an_archive_lie(tmp_path):
    """The numbers of the specification; a long name has a header of its own."""
    members = {"k1.jpg": b"a" * 700, "k1.json": b"{}", "k2.jpg": b"b" * 512, LONG_NAME: b"c" * 9}
    write_tar(tmp_path / "0.tar", members, format=tarfile.GNU_FORMAT)
    assert (tmp_path / "0.tar").stat().st_size == 10240
    index = open_tars(str(tmp_path), ["0.tar"])
    assert list(index.names) == ["0.tar!k1.jpg", "0.tar!k2.jpg", f"0.tar!{LONG_NAME}"]
    assert index.members.tolist() == [[0, 512, 700], [0, 3072, 512], [0, 5120, 9]]
    for place, name in enumerate(("k1.jpg", "k2.jpg", LONG_NAME)):
        assert fileio.get(index.address(place)) == members[name]
        assert read_bytes(index.address(place), 2, 3) == members[name][2:5]


@pytest.mark.parametrize("where", ["disk", "memory"])
def test_archives(tmp_path, where, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "shards"
    folder.mkdir()
    first = {"./a/1.jpg": png((3, 2)), "a/1.seg.png": b"x", "__meta__/x.jpg": b"", "a/1.json": b""}
    write_tar(folder / "000.tar", first)
    write_tar(folder / "001.tar", {"2.PNG": png((4, 5))})
    root = str(folder)
    if where == "memory":
        fs = fsspec.filesystem("memory")
        for path in folder.iterdir():
            fs.pipe(f"/tars/{path.name}", path.read_bytes())
        root = "memory://tars"
    source = open_source(root)
    assert list(source.names) == ["000.tar!a/1.jpg", "001.tar!2.PNG"]
    assert fileio.get(source.address(1)) == png((4, 5))
    assert size_of_image(source.address(1)) == (5, 4)
    monkeypatch.setattr(tar_index, "_made", None)  # from now on the stored index is read
    again = open_source(root)
    assert again.checksum() == source.checksum() and again.address(0) == source.address(0)
    monkeypatch.undo()
    if where == "disk":
        assert list(open_source(f"{folder}/*1.tar").names) == ["001.tar!2.PNG"]
        write_tar(folder / "001.tar", {"2.PNG": png((4, 5)), "3.png": png((1, 1))})
        assert len(open_source(root)) == 3
    else:
        fs.rm("/tars", recursive=True)


def test_archives_that_have_no_places(tmp_path):
    (tmp_path / "a.tar.gz").touch()
    with pytest.raises(TarError, match=r"gunzip a\.tar\.gz"):
        open_source(tmp_path / "a.tar.gz")
    (tmp_path / "b.tar").write_bytes(b"no archive" * 100)
    with pytest.raises(TarError, match="not a whole, uncompressed tar archive"):
        open_source(tmp_path / "b.tar")


def test_unlabeled_images_from_elsewhere(bucket, tmp_path, monkeypatch):
    pipeline = [dict(type="LoadImageFromFile")]
    data = UnlabeledImages(bucket, pipeline=pipeline)
    assert len(data) == 2 and data[1]["img"].shape == (4, 6, 3)
    assert data.image_size(1) == (4, 6)
    write_tar(tmp_path / "0.tar", {"k.png": png((9, 8))})
    data = UnlabeledImages(str(tmp_path / "0.tar"), pipeline=pipeline)
    assert data[0]["img"].shape == (8, 9, 3) and data.image_size(0) == (8, 9)
    (tmp_path / "list.txt").write_text("a.png\nb.png\n")
    (tmp_path / "b.png").write_bytes(png((9, 8)))
    data = UnlabeledImages(str(tmp_path / "list.txt"), data_root=bucket)
    assert [info["img_path"] for info in data] == [f"{bucket}/a.png", f"{bucket}/b.png"]
    for key, value in dict(img_prefix="x", img_suffix=".png", max_share=0.5).items():
        with pytest.raises(UnlabeledError, match=f"{key} has no effect on images at addresses"):
            UnlabeledImages(bucket, **{key: value})
    monkeypatch.setattr(sources, "LONG", 4)
    data = UnlabeledImages(str(tmp_path / "list.txt"), pipeline=pipeline)
    assert len(data) == 2 and data[1]["img"].shape == (8, 9, 3) and data[1]["img_id"] == 1
    assert data.get_data_info(-1)["sample_idx"] == 1 and data.image_size(1) == (8, 9)


def test_what_a_network_breaks_is_tried_again():
    waits, answers = [], [ConnectionError("reset"), TimeoutError(), b"whole"]

    def call():
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert retried(call, "s3://b/k", waits.append) == b"whole"
    assert len(waits) == 2 and waits[0] <= 0.5 and waits[1] <= 1
    answers[:] = [OSError("gone")] * 5
    with pytest.raises(RemoteError, match="s3://b/k: not read in 5 tries: OSError: gone"):
        retried(call, "s3://b/k", waits.append)
    for final in (FileNotFoundError(), PermissionError(), KeyError("bug")):
        answers[:] = [final, b"never"]
        with pytest.raises(type(final)):
            retried(call, "s3://b/k", waits.append)


def test_the_cache_keeps_to_its_limit(tmp_path, monkeypatch):
    reads = []

    def read(number):
        reads.append(number)
        return bytes([number]) * 100

    cache = ByteCache(tmp_path / "cache", 1000)
    for number in range(8):
        assert cache.get(f"s3://{number}", lambda n=number: read(n)) == bytes([number]) * 100
    assert cache.get("s3://3", lambda: read(3)) == b"\3" * 100 and reads == [*range(8)]
    for path in (tmp_path / "cache").glob("??/*"):
        os.utime(path, (1, 1))
    cache.get("s3://3", lambda: read(3))  # used now, so it stays
    for number in range(8, 12):
        cache.get(f"s3://{number}", lambda n=number: read(n))
    sizes = [path.stat().st_size for path in (tmp_path / "cache").glob("??/*")]
    assert sum(sizes) <= 1000
    cache.get("s3://3", lambda: read(3))
    assert reads.count(3) == 1
    monkeypatch.setenv("SSDET_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("SSDET_CACHE_GB", "0.5")
    assert ByteCache.from_environment().limit == 2**29
