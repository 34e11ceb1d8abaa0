"""No folder gives more than its share of the unlabeled images, and who does is chosen by a hash."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssdet.datasets import UnlabeledImages
from ssdet.datasets.origins import chosen, largest_cap, origin_of

from ..doctor.place import picture


@settings(max_examples=200)
@given(
    counts=st.lists(st.integers(1, 60), min_size=1, max_size=8),
    share=st.floats(0.01, 1, allow_nan=False),
)
def test_the_cap_is_the_largest_that_keeps_the_share(counts, share):
    def fits(cap):
        return cap <= share * sum(min(count, cap) for count in counts) + 1e-9

    cap = largest_cap(counts, share)
    assert [c for c in range(max(counts) + 1) if fits(c)] == list(range(cap + 1))


def test_by_hand():
    """80 + 10 + 10: with 12 of the first there are 32, and 12 are 0.375 of them."""
    assert largest_cap([80, 10, 10], 0.375) == 12
    assert largest_cap([80, 10, 10], 0.8) == 80
    assert largest_cap([80], 1.0) == 80
    assert largest_cap([80, 80], 0.49) == 0


@pytest.fixture
def root(tmp_path):
    for folder, count in (("web", 12), ("lab", 4), ("field", 4)):
        for n in range(count):
            picture(tmp_path / "u" / folder / f"{n}.jpg", n, (8, 8))
    return tmp_path / "u"


def folders(dataset):
    names = [
        origin_of(dataset.get_data_info(n)["img_path"], dataset.root) for n in range(len(dataset))
    ]
    return {name: names.count(name) for name in sorted(set(names))}


def test_a_large_folder_gives_its_share_only(root):
    assert folders(UnlabeledImages(root)) == {"field": 4, "lab": 4, "web": 12}
    assert folders(UnlabeledImages(root, max_share=0.5)) == {"field": 4, "lab": 4, "web": 8}
    listed = root.parent / "list.txt"
    listed.write_text("".join(f"{p.relative_to(root)}\n" for p in sorted(root.rglob("*.jpg"))))
    same = UnlabeledImages(listed, data_root=root, max_share=0.5)
    assert folders(same) == {"field": 4, "lab": 4, "web": 8}


def test_the_choice_stays_when_the_data_move(root, tmp_path):
    def used(folder):
        dataset = UnlabeledImages(folder, max_share=0.5)
        return [dataset.get_data_info(n)["img_path"][len(str(folder)) :] for n in range(16)]

    before = used(root)
    root.rename(tmp_path / "elsewhere")
    assert used(tmp_path / "elsewhere") == before
    assert before != sorted(before) or len(set(before)) == 16


def test_what_cannot_be_kept_is_refused_with_numbers(root):
    with pytest.raises(ValueError, match=r"max_share=0\.2: .* come from 3 folders .* 0\.33"):
        UnlabeledImages(root, max_share=0.2)
    with pytest.raises(ValueError, match=r"from 1 folder of"):
        UnlabeledImages(root / "web", max_share=0.5)
    with pytest.raises(ValueError, match=r"max_share=1\.5 is not in \[0, 1\]"):
        UnlabeledImages(root, max_share=1.5)


def test_images_of_the_root_are_one_origin(tmp_path):
    assert origin_of(f"{tmp_path}/a.jpg", str(tmp_path)) == "."
    assert origin_of(f"{tmp_path}/x/y/a.jpg", str(tmp_path)) == "x"
    paths = [f"/r/{n}.jpg" for n in range(6)] + ["/r/x/0.jpg", "/r/x/1.jpg"]
    assert sum(chosen(paths, "/r", 0.5)) == 4
