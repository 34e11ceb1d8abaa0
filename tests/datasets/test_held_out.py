"""A part of the labeled images is not trained on: which, and what is left."""

import pytest

from ssdet.datasets import DigitScenes, LabeledUnlabeledDataset, LabeledUnlabeledSampler
from ssdet.datasets.held_out import fold_of


def scenes(split, labeled=12):
    pipeline = [{"type": "LoadDigitScene"}]
    return DigitScenes(split=split, count=20, labeled=labeled, image_size=32, pipeline=pipeline)


def train_set(held_out=0.25, **options):
    return LabeledUnlabeledDataset(
        [scenes("labeled", **options), scenes("unlabeled", **options)], held_out=held_out
    )


def ids(dataset):
    return {dataset.get_data_info(n)["img_id"] for n in range(len(dataset))}


def test_no_held_out_image_is_ever_drawn():
    whole, dataset = train_set(0.0), train_set()
    (fold,) = dataset.folds
    labeled, unlabeled = dataset.datasets
    assert whole.folds == [] and (len(fold), len(labeled), len(unlabeled)) == (3, 9, 8)
    assert ids(fold) | ids(labeled) == ids(whole.datasets[0])
    assert ids(fold).isdisjoint(ids(labeled))
    assert ids(unlabeled) == ids(whole.datasets[1])
    sampler = LabeledUnlabeledSampler(dataset, (3, 2), seed=0)
    drawn = [dataset.get_data_info(i)["img_id"] for t in range(6) for i in sampler.batch_at(t)[:3]]
    assert set(drawn) == ids(labeled)


def test_the_choice_is_a_function_of_the_images():
    assert ids(train_set().folds[0]) == ids(train_set().folds[0])
    assert train_set().checksum() == train_set().checksum()
    assert len({train_set(share).checksum() for share in (0.0, 0.25, 0.4)}) == 3


def infos(*labels):
    return [
        {"img_path": f"/data/{n}.jpg", "instances": [{"bbox_label": one} for one in own]}
        for n, own in enumerate(labels)
    ]


def test_every_class_is_trained_on_and_judged_where_it_can_be():
    found = infos(*[[0]] * 8, [1], [0, 2], [2])
    for share, count in ((0.3, 3), (0.1, 1)):
        fold = fold_of(found, share, 3)
        assert len(fold) == count
        assert 8 not in fold, "the only image of class 1 is trained on"
        assert not {9, 10} <= set(fold)
    # Of class 2 one image is trained on, and the other one judges.
    assert {9, 10} & set(fold_of(found, 0.3, 3))
    ignored = infos([0], [0], [0])
    ignored[1]["instances"][0]["ignore_flag"] = 1
    assert len(fold_of(ignored, 0.34, 1)) == 1


def test_the_folder_and_the_order_do_not_matter():
    found = infos(*[[n % 3] for n in range(12)])
    paths = {found[n]["img_path"] for n in fold_of(found, 0.25, 3)}
    other = [{**one, "img_path": one["img_path"].replace("/data", "/mnt/x")} for one in found][::-1]
    assert {other[n]["img_path"] for n in fold_of(other, 0.25, 3)} == {
        path.replace("/data", "/mnt/x") for path in paths
    }


def test_too_few_images_are_refused():
    with pytest.raises(ValueError, match=r"held_out=0\.25 of the 1 labeled images"):
        train_set(labeled=1)
    with pytest.raises(ValueError, match=r"held_out=0.6 is not in \[0, 0.5\]"):
        train_set(0.6)
