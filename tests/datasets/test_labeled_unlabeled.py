"""Same pictures for any number of workers and ranks, after a skip, and with bad images."""

import random

import mmcv
import numpy as np
import pytest
import torch
from mmengine.dataset import BaseDataset, pseudo_collate
from torch.utils.data import DataLoader

from ssdet.datasets import (
    BadImageError,
    DigitScenes,
    LabeledUnlabeledDataset,
    LabeledUnlabeledSampler,
    SampleError,
)
from ssdet.datasets.image_limits import allowed_bad


def noisy(results):
    """Draws from every global generator; now and then refuses the sample."""
    if np.random.random() < 0.2:
        return None
    draw = (random.random(), float(np.random.random()), float(torch.rand(1)))
    return {"id": results["img_id"], "draw": draw, "pixel": int(results["img"].sum())}


def scenes(split, pipeline=("load", noisy), **options):
    pipeline = [{"type": "LoadDigitScene"} if step == "load" else step for step in pipeline]
    size = {"count": 20, "labeled": 6, "image_size": 32, **options}
    return DigitScenes(split=split, pipeline=pipeline, **size)


def loader(workers=0, batch=(2, 3), rank=0, world=1, skip=0, **options):
    dataset = LabeledUnlabeledDataset([scenes("labeled"), scenes("unlabeled")])
    sampler = LabeledUnlabeledSampler(dataset, batch, seed=5)
    sampler.rank, sampler.world_size = rank, world
    sampler.skip(skip)
    return DataLoader(
        dataset, sum(batch), sampler=sampler, num_workers=workers, collate_fn=list, **options
    )


def batches(loader, count=6):
    stream = iter(loader)
    return [next(stream) for _ in range(count)]


@pytest.mark.parametrize("workers", [1, 2])
def test_workers_do_not_change_a_sample(workers):
    assert batches(loader(workers)) == batches(loader())


def test_workers_started_by_spawn_do_not_change_a_sample_either():
    assert batches(loader(1, multiprocessing_context="spawn"), 2) == batches(loader(), 2)


def test_two_ranks_see_the_samples_of_one():
    whole = batches(loader(batch=(2, 4)))
    parts = [batches(loader(batch=(1, 2), rank=r, world=2)) for r in range(2)]
    for one, *rest in zip(whole, *parts, strict=True):
        key = str
        assert sorted(one, key=key) == sorted([s for part in rest for s in part], key=key)


def test_skip_gives_the_same_samples():
    assert batches(loader(skip=15), 3) == batches(loader())[3:]


def test_samples_differ_from_each_other_but_repeat():
    first = batches(loader())
    draws = [sample["draw"] for batch in first for sample in batch]
    assert len(set(draws)) == len(draws)
    assert batches(loader()) == first


def test_the_random_state_of_training_is_untouched():
    def state():
        return random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()

    training = loader()
    stream = iter(training)
    before = state()
    next(stream)
    assert state() == before


def test_a_data_loader_with_another_batch_size_is_refused_with_numbers():
    wrong = loader()
    wrong = DataLoader(wrong.dataset, 4, sampler=wrong.sampler, collate_fn=list)
    with pytest.raises(ValueError, match=r"batches of 4 samples.*batches of 5.*batch_size=5"):
        next(iter(wrong))


def test_classes_must_agree_and_unlabeled_sources_need_none():
    with pytest.raises(ValueError, match=r"classes \('1', '0'\).*'0', '1'"):
        LabeledUnlabeledDataset(
            [scenes("labeled", digits=(0, 1)), scenes("unlabeled", digits=(1, 0))]
        )
    bare = BaseDataset(lazy_init=True)
    both = LabeledUnlabeledDataset([scenes("labeled"), bare], lazy_init=True)
    assert both.metainfo["classes"] == tuple("0123456789")


def test_no_source_is_refused():
    with pytest.raises(ValueError, match="datasets is empty"):
        LabeledUnlabeledDataset([])


# ---------------------------------------------------------------- bad images


class Files(BaseDataset):
    def load_data_list(self):
        return [{"img_path": path} for path in self.ann_file]

    def _join_prefix(self):
        pass


def read(results):
    image = mmcv.imread(results["img_path"])
    return {"path": results["img_path"], "sum": int(image.sum()), "draw": np.random.random()}


@pytest.fixture
def folder(tmp_path):
    for number in range(40):
        mmcv.imwrite(np.full((8, 8, 3), number, np.uint8), str(tmp_path / f"{number:02d}.png"))
    return tmp_path


def from_files(folder, pipeline=(read,), **options):
    paths = sorted(str(path) for path in folder.iterdir())
    good, rest = Files(paths[:5], pipeline=[read]), Files(paths[5:], pipeline=list(pipeline))
    dataset = LabeledUnlabeledDataset([good, rest], **options)
    return dataset, LabeledUnlabeledSampler(dataset, (1, 5), seed=0)


def run(folder, workers=0, count=14, **options):
    dataset, sampler = from_files(folder, **options)
    stream = DataLoader(dataset, 6, sampler=sampler, num_workers=workers, collate_fn=list)
    return batches(stream, count), dataset


def test_an_unreadable_unlabeled_image_is_replaced_and_counted(folder):
    (folder / "07.png").write_bytes(b"")
    (folder / "11.png").write_bytes(b"no picture")
    (folder / "20.png").write_bytes((folder / "20.png").read_bytes()[:40])
    before = {path: path.read_bytes() for path in folder.iterdir()}
    samples, dataset = run(folder, bad_image_limit=0.1)
    assert [path[-6:] for path in dataset.bad_files()] == ["07.png", "11.png", "20.png"]
    assert all(len(batch) == 6 for batch in samples)
    with_workers, dataset = run(folder, workers=2, bad_image_limit=0.1)
    assert with_workers == samples
    assert len(dataset.bad_files()) == 3  # found by workers, known here
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_an_image_deleted_meanwhile_counts_as_unreadable(folder):
    dataset, sampler = from_files(folder)
    (folder / "30.png").unlink()
    batches(DataLoader(dataset, 6, sampler=sampler, collate_fn=list), 8)
    assert [path[-6:] for path in dataset.bad_files()] == ["30.png"]


def test_too_many_bad_images_stop_training_and_are_named(folder):
    for number in range(10, 12):
        (folder / f"{number}.png").write_bytes(b"")
    with pytest.raises(BadImageError) as error:
        run(folder)
    assert "2 of 35 images cannot be read, allowed: 1 (bad_image_limit=0.01)" in str(error.value)
    assert all(f"{number}.png" in str(error.value) for number in range(10, 12))


def test_a_share_of_a_small_set_is_one_image_not_five():
    """Of 24 images five, 21 percent, were tolerated by a limit of 1 percent."""
    assert [allowed_bad(0.01, n) for n in (1, 24, 100, 199, 200, 5000)] == [1, 1, 1, 1, 2, 50]
    assert [allowed_bad(limit, 100) for limit in (0, 0.5, 1)] == [0, 50, 100]


def test_an_unreadable_labeled_image_is_an_error_with_its_cause(folder):
    (folder / "03.png").write_bytes(b"")
    with pytest.raises(BadImageError, match=r"03\.png.*empty \(0 bytes\).*labeled image 3"):
        run(folder)


def test_a_mistake_in_the_pipeline_names_the_file_and_is_not_taken_for_a_bad_image(folder):
    def wrong(results):
        raise KeyError("gt_bboxes")

    dataset, _ = from_files(folder, pipeline=(wrong,))
    with pytest.raises(
        SampleError, match=r"\d\d\.png: KeyError: 'gt_bboxes'\. A transform"
    ) as error:
        dataset[10]
    assert isinstance(error.value.__cause__, KeyError)
    assert dataset.bad_files() == []


def test_a_pipeline_that_refuses_everything_does_not_hang(folder):
    dataset, sampler = from_files(folder, pipeline=(lambda results: None,))
    with pytest.raises(BadImageError, match="200 samples in a row"):
        dataset[sampler.batch_at(0)[1]]


def test_samples_of_the_demo_set_collate():
    dataset = LabeledUnlabeledDataset([scenes("labeled"), scenes("unlabeled")])
    batch = pseudo_collate([dataset[0], dataset[7]])
    assert set(batch) == {"id", "draw", "pixel"}


def test_made_images_are_a_second_labeled_source():
    """As docs/tasks/other-labels.md says: their share in a batch is their weight."""
    made = scenes("train", ("load", told), count=50, seed=9, objects=(1, 2))
    others = [scenes(split, ("load", told), objects=(1, 2)) for split in ("labeled", "unlabeled")]
    data = LabeledUnlabeledDataset([others[0], made, others[1]], labeled=2)
    assert [data.is_labeled(number) for number in range(3)] == [True, True, False]
    sampler = LabeledUnlabeledSampler(data, (2, 1, 3), seed=5)
    stream = iter(DataLoader(data, 6, sampler=sampler, collate_fn=list))
    for _ in range(4):
        found = [(one["folder"], one["annotated"]) for one in next(stream)]
        here, there = "digit-scenes-0", "digit-scenes-9"
        assert found == [(here, True)] * 2 + [(there, True)] + [(here, False)] * 3


def told(results):
    """Where a sample comes from, and whether it has annotations."""
    folder = results["img_path"].split("/")[0]
    return {"folder": folder, "annotated": bool(results["instances"])}
