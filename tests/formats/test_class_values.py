"""What is said about label maps: values, several values for one class, what is ignored, colors."""

import numpy as np
import pytest
from PIL import Image

from ssdet.cli import main
from ssdet.datasets import LabeledMasks, LoadMask
from ssdet.formats import DataError, MaskEncoding, class_settings, read, read_classes
from ssdet.formats.class_values import encoding_of, encoding_settings

from . import miniature


def decoded(root, **said):
    data = read(root, "masks", images=root / "train", masks=root / "trainannot", **said)
    return data, data.encoding.decode(data.records[0].mask)[0, [0, 10, 30, 40, 60]].tolist()


@pytest.fixture
def root(tmp_path):
    """Values 0, 1, 2, 0, 3 from left to right."""
    return miniature.camvid(tmp_path / "camvid")


def test_a_void_value_is_ignored(root):
    data, labels = decoded(root, ignore=(3,))
    assert data.classes == ("0", "1", "2") and labels == [0, 1, 2, 0, 255]
    data, labels = decoded(root, ignore=(1,))
    assert data.classes == ("0", "2", "3") and labels == [0, 255, 1, 0, 2]
    names = ("sky", "road", "car", "void")
    for ignore in ((3,), ("void",)):
        data, labels = decoded(root, ignore=ignore, classes=names)
        assert data.classes == names[:3] and labels == [0, 1, 2, 0, 255]
    with pytest.raises(DataError, match="allowed: a gray value, or one of sky, road"):
        decoded(root, ignore=("viod",), classes=names)


def test_zero_is_reduced_as_in_mmsegmentation(root):
    data, labels = decoded(root, reduce_zero_label=True)
    assert data.classes == ("1", "2", "3") and labels == [255, 0, 1, 255, 2]
    data, labels = decoded(root, reduce_zero_label=True, classes=("road", "car", "tree"))
    assert data.classes == ("road", "car", "tree") and labels == [255, 0, 1, 255, 2]


def test_several_values_are_one_class(root):
    said = class_settings(("ground", "thing"), [[0, 3], [1, 2]])
    assert decoded(root, **said)[1] == [0, 1, 1, 0, 0]
    assert decoded(root, **class_settings(None, [0, [1, 2]], ignore=[3]))[1] == [0, 1, 1, 0, 255]


def test_an_unknown_value_says_how_to_ignore_it(root):
    with pytest.raises(DataError, match=r"leave it out: --ignore 3"):
        decoded(root, **class_settings(("a", "b", "c")))


ENCODINGS = [
    MaskEncoding(3),
    encoding_of([0, [7, 8], 255]),
    encoding_of([0, 1], ignore=[11]),
    encoding_of(colors=[[1, 2, 3], [[4, 5, 6], [7, 8, 9]]], ignore=[[0, 0, 0]]),
]


@pytest.mark.parametrize("encoding", ENCODINGS, ids=str)
def test_a_config_can_say_every_encoding(encoding):
    settings = encoding_settings(encoding)
    again = encoding_of(**settings) if settings else MaskEncoding(3)
    assert again == encoding


@pytest.fixture
def colored(tmp_path):
    """Maps in RGB with class_dict.csv, as CamVid is passed on."""
    for n in range(3):
        miniature.picture(tmp_path / "img" / f"{n}.png", (8, 8), seed=n)
        pixels = np.zeros((8, 8, 3), np.uint8)
        pixels[:4] = (128, 64, 128)
        pixels[:, 6:] = (9, 9, 9)
        path = tmp_path / "label" / f"{n}_L.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(pixels).save(path)
    (tmp_path / "class_dict.csv").write_text(
        "name,r,g,b\nroad,128,64,128\nground,0,0,0\nvoid,9,9,9\n"
    )
    return tmp_path


def test_colors_are_found_beside_the_data(colored, tmp_path):
    said = dict(images=colored / "img", masks=colored / "label")
    data = read(colored, "masks", ignore=("void",), **said)
    assert data.classes == ("road", "ground")
    assert data.encoding.decode(data.records[0].mask)[:, [0, 7]].tolist() == (
        [[0, 255]] * 4 + [[1, 255]] * 4
    )
    training = LabeledMasks(str(colored), "masks", classes=data.classes,
                            **{key: str(path) for key, path in said.items()},
                            **encoding_settings(data.encoding), pipeline=[])  # fmt: skip
    info = training.get_data_info(0)
    sample = {**info, "img": np.zeros((8, 8, 3)), "seg_fields": []}
    assert LoadMask()(sample)["gt_seg_map"][0, [0, 7]].tolist() == [0, 255]
    assert training.metainfo["palette"] == [(128, 64, 128), (0, 0, 0)]


def test_colors_may_stand_before_the_names(tmp_path):
    (tmp_path / "c.txt").write_text("128 64 128\tRoad\n0 0 0\tVoid area\n")
    assert read_classes(tmp_path / "c.txt") == (
        ("Road", "Void area"), {(128, 64, 128): 0, (0, 0, 0): 1},
    )  # fmt: skip


def test_the_command_takes_all_of_it(root, tmp_path, capsys):
    out = tmp_path / "maps"
    options = ["--split", "train", "--to", "masks", "--out", str(out)]
    assert main(["convert", str(root), *options, "--values", "0,1-2", "--ignore", "3"]) == 0
    labels = np.asarray(Image.open(next(out.rglob("train0.png"))))
    assert labels[0, [0, 10, 30, 40, 60]].tolist() == [0, 1, 1, 0, 255]
    with pytest.raises(SystemExit, match="2"):
        main(["convert", str(root), *options, "--values", "0,1+1"])
    assert "a value is given twice" in capsys.readouterr().err


def test_black_and_white_maps_have_two_classes(tmp_path, capsys):
    for n in range(2):
        miniature.picture(tmp_path / "images" / f"{n}.jpg", seed=n)
        labels = np.zeros((48, 64), np.uint8)
        labels[:, 32 * n :] = 255
        miniature.gray_png(tmp_path / "masks" / f"{n}.png", labels)
    data = read(tmp_path, "masks")
    assert data.classes == ("background", "foreground")
    assert [data.labels_in(record) for record in data.records] == [{1}, {0, 1}]
    assert encoding_settings(data.encoding) == {"values": [0, 255]}
    assert read(tmp_path, "masks", ignore=(255,)).classes == ("0",)
    assert read(tmp_path, "masks", classes=("road",)).classes == ("road",)
    capsys.readouterr()
    assert main(["doctor", str(tmp_path)]) == 0
    told = capsys.readouterr().out
    assert "255 is the class 'foreground' then; --ignore 255 says otherwise" in told
    assert "warning" not in told


def test_maps_of_another_scale_are_fitted_when_it_is_asked_for(tmp_path, capsys):
    labels = np.arange(24 * 32, dtype=np.int64).reshape(24, 32).astype(np.uint8) % 3
    root, out = tmp_path / "data", tmp_path / "maps"
    miniature.picture(root / "images" / "a.jpg", (48, 64))
    miniature.gray_png(root / "masks" / "a.png", labels)
    assert main(["doctor", str(root)]) == 65
    assert "where only the scale differs: ssdet convert" in capsys.readouterr().out
    command = ["convert", str(root), "--to", "masks", "--fit", "--force", "--out", str(out)]
    assert main(command) == 0
    found = np.asarray(Image.open(out / "a.png"))
    assert np.array_equal(found, labels.repeat(2, axis=0).repeat(2, axis=1))
    miniature.gray_png(root / "masks" / "a.png", labels[:16])
    assert main(command) == 65
    assert "other proportions than its image: found 32x16" in capsys.readouterr().err


def test_one_of_several_folders_of_maps_is_named(tmp_path, capsys):
    labels = np.zeros((48, 64), np.uint8)
    miniature.picture(tmp_path / "images" / "a.jpg")
    for name, value in (("masks", 1), ("others", 2)):
        labels[:9] = value
        miniature.gray_png(tmp_path / name / "a.png", labels)
    out = tmp_path / "all.json"
    command = ["convert", str(tmp_path), "--to", "coco", "--out", str(out)]
    assert main(command) == 65
    told = capsys.readouterr().err
    assert "several folders of label maps for one of images: found masks, others" in told
    assert f"Choose it, such as --masks {tmp_path / 'masks'}" in told
    assert main([*command, "--masks", str(tmp_path / "others")]) == 0
    assert "3 classes" in capsys.readouterr().out


def test_colors_without_names_are_told_as_a_file_of_them_names_them(tmp_path, capsys):
    """Whoever knows them only from the pictures could not write the file."""
    colors = np.zeros((48, 64, 3), np.uint8)
    colors[:9] = 0, 255, 0
    colors[9:12] = 255, 0, 0
    miniature.picture(tmp_path / "images" / "a.jpg")
    (tmp_path / "masks").mkdir()
    Image.fromarray(colors).save(tmp_path / "masks" / "a.png")
    command = ["convert", "masks", str(tmp_path), "--to", "coco", "--out", str(tmp_path / "o.json")]
    assert main(command) == 65
    told = "an image of mode RGB with the colors 0 0 0, 0 255 0, 255 0 0; allowed"
    assert told in capsys.readouterr().err
    (tmp_path / "named.txt").write_text("soil 0 0 0\ncrop 0 255 0\nweed 255 0 0\n")
    assert main([*command, "--colors", str(tmp_path / "named.txt")]) == 0
    assert "3 classes" in capsys.readouterr().out
    colors[..., 2] = np.arange(64)
    Image.fromarray(colors).save(tmp_path / "masks" / "a.png")
    assert (
        main([*command, "--force"]) == 65 and "mode RGB with 192 colors" in capsys.readouterr().err
    )


@pytest.mark.parametrize("kind", ["up", "absolute"])
def test_maps_may_lie_elsewhere(kind, root, tmp_path, monkeypatch, capsys):
    """The folders start in the current one, whichever way they are named."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    (root / "trainannot").rename("maps")
    said = {"up": "../camvid", "absolute": str(root)}[kind]
    options = ["--images", f"{said}/train", "--masks", "maps"]
    assert main(["doctor", said, *options]) == 0, capsys.readouterr().out
    split = ["split", said, *options, "--count", "2", "--out", "splits"]
    assert main(split) == 0, capsys.readouterr().err
    assert f"{said}: masks: label maps in maps/" in capsys.readouterr().out
    split[1:6] = [f"{said}/train", "--masks", "maps", "--name", "photographs"]
    assert main(split) == 0, capsys.readouterr().err
