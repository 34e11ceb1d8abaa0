"""Who is labeled: numbers worked out by hand, nested sets, every class, the same everywhere."""

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssdet.datasets.splits import Share, checksum, divide, match, priorities
from ssdet.formats import DataError

NAMES = [f"{n:03}.jpg" for n in range(200)]


def no_labels(name):
    return ()


@pytest.mark.parametrize(
    ("kind", "text", "total", "size", "name"),
    [
        ("fraction", "1/16", 10582, 662, "1_16"),  # the published sizes of VOC, blender
        ("fraction", "1/8", 10582, 1323, "1_8"),
        ("fraction", "1/4", 10582, 2646, "1_4"),
        ("fraction", "1/2", 10582, 5291, "1_2"),
        ("fraction", "1/16", 1464, 92, "1_16"),  # VOC, classic
        ("fraction", "1/2", 1464, 732, "1_2"),
        ("fraction", "1/16", 2975, 186, "1_16"),  # Cityscapes
        ("fraction", "1/8", 2975, 372, "1_8"),
        ("fraction", "1/4", 2975, 744, "1_4"),
        ("fraction", "1/2", 2975, 1488, "1_2"),
        ("percent", "10", 118287, 11829, "10"),
        ("percent", "0.5", 1000, 5, "0.5"),
        ("percent", "5.0", 100, 5, "5"),
        ("percent", "1", 3, 1, "1"),
        ("percent", "100", 7, 7, "100"),
        ("count", "92", 1464, 92, "92images"),
    ],
)
def test_sizes_and_names(kind, text, total, size, name):
    share = Share(kind, text)
    assert (share.size(total), share.name) == (size, name)


@pytest.mark.parametrize(
    ("kind", "text"),
    [("percent", "0"), ("percent", "101"), ("percent", "-1"), ("fraction", "3/2"),
     ("fraction", "1/0"), ("count", "2.5"), ("count", "0"), ("percent", "many")],
)  # fmt: skip
def test_impossible_shares_are_refused(kind, text):
    with pytest.raises(DataError, match=f"--{kind}: found {text}; allowed: a "):
        Share(kind, text)


def test_more_labeled_images_than_there_are():
    with pytest.raises(DataError, match=r"found 8; allowed: 1 \.\.\. 7"):
        Share("count", "8").size(7)


def test_the_order_is_that_of_sha256():
    expected = sorted(NAMES, key=lambda n: hashlib.sha256(f"7\n2\n{n}".encode()).digest())
    assert priorities(NAMES, no_labels, 0, seed=7, fold=2) == expected


def test_the_order_does_not_depend_on_the_order_of_the_source():
    def labels_in(name):
        return {int(name[:3]) % 7}

    order = priorities(NAMES, labels_in, 7)
    assert priorities(NAMES[::-1], labels_in, 7) == order
    # Written down once: a change of these names is a change of everybody's splits.
    assert order[:8] == [
        "133.jpg",
        "004.jpg",
        "134.jpg",
        "156.jpg",
        "125.jpg",
        "026.jpg",
        "185.jpg",
        "176.jpg",
    ]


def test_rare_classes_come_first_and_are_asked_for_only_as_long_as_needed():
    asked = []

    def labels_in(name):
        asked.append(name)
        return {0, 1} if name == plain[150] else {2} if name == plain[3] else {0}

    plain = priorities(NAMES, no_labels, 0)
    order = priorities(NAMES, labels_in, 3)
    assert order[:3] == [plain[0], plain[3], plain[150]]
    assert order[3:6] == [plain[1], plain[2], plain[4]]
    assert asked == plain[:151]


def test_a_class_that_no_labeled_image_has_is_named():
    labels = {name: {0} for name in NAMES} | {NAMES[9]: {0, 1}}
    split = divide(NAMES, NAMES[:5], labels.get, ("cat", "dog", "owl"))
    assert split.missing == ("dog", "owl")
    assert divide(NAMES, NAMES[:10], labels.get, ("cat", "dog", "owl")).missing == ("owl",)


@settings(max_examples=60)
@given(
    st.lists(st.frozensets(st.integers(0, 5), max_size=3), min_size=2, max_size=40),
    st.integers(0, 3), st.integers(1, 5), st.data(),
)  # fmt: skip
def test_laws(labels, seed, fold, data):
    names = [f"{n}.png" for n in range(len(labels))]
    table = dict(zip(names, labels, strict=True))
    order = priorities(names, table.get, 6, seed=seed, fold=fold)
    assert sorted(order) == sorted(names)
    small, large = sorted(data.draw(st.lists(st.integers(1, len(names)), min_size=2, max_size=2)))
    a, b = (divide(names, order[:n], table.get, "abcdef") for n in (small, large))
    assert set(a.labeled) <= set(b.labeled)
    assert len(a.labeled) == small
    assert set(a.labeled) | set(a.unlabeled) == set(names)
    assert not set(a.labeled) & set(a.unlabeled)
    present = frozenset().union(*labels)
    assert set(b.missing) <= set(a.missing)
    if small >= 6:  # at most one image for each class comes first
        assert set(a.missing) == {c for n, c in enumerate("abcdef") if n not in present}


def test_checksum_is_that_of_the_sorted_names():
    assert checksum(["b", "a"]) == hashlib.sha256(b"a\nb").hexdigest()


def test_lines_of_a_list_name_images_in_several_ways(tmp_path):
    names = ["a/1.jpg", "a/2.jpg", "b/2.jpg", "b/with blank.jpg"]
    lines = [(1, "a/1.jpg masks/1.png"), (2, "1"), (3, "b/2"), (5, "b/with blank.jpg")]
    assert match(lines, names, tmp_path) == ["a/1.jpg", "a/1.jpg", "b/2.jpg", "b/with blank.jpg"]
    with pytest.raises(DataError, match=r"line 7: .*'2', which fits 2 images"):
        match([(7, "2")], names, tmp_path)
    with pytest.raises(DataError, match=r"line 8: .*'c/9.jpg', which fits 0 images"):
        match([(8, "c/9.jpg")], names, tmp_path)
