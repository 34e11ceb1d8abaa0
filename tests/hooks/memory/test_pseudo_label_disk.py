"""The bank in a step: geometry, label files, refinement and use, by hand."""

import json

import numpy as np
import pytest
import torch

from ssdet.formats.pseudo_label_folder import PseudoLabelFolder
from ssdet.formats.segments import decode
from ssdet.hooks import PseudoLabelDiskHook
from ssdet.hooks._parts.file_labels import FileLabels
from ssdet.teacher_student.pseudo_boxes import Source
from ssdet.teacher_student.step import PixelLabels, Step, Views

from ...helpers import build_pair, losses, multi_branch, pseudo, sample
from ...seg_helpers import build_seg, seg_batch, seg_sample

# The view is the right half of an image of 2x4, twice as large and flipped left to right.
FLIPPED_CROP = [[-2, 0, 8], [0, 2, 0], [0, 0, 1]]


def pixels(labels, scores=1.0):
    labels = torch.tensor(labels)[None]
    scores = torch.as_tensor(scores, dtype=torch.float32).expand(labels.shape).clone()
    return PixelLabels(labels, scores, scores * 0, labels != 255)


def views(homography=FLIPPED_CROP, ori=(2, 4), size=(4, 4)):
    one = seg_sample(size, homography, img_path="/data/x/a.jpg")
    one.set_metainfo({"ori_shape": ori})
    return Views(torch.zeros(1, 3, *size), [one])


def seen(hook, labels, scores=1.0, iteration=0):
    step = Step(hook.model, iteration, weak=views(), pseudo=pixels(labels, scores))
    hook.after_teacher(step)
    return step


def seg_hook(folder, **settings):
    hook = PseudoLabelDiskHook(folder, root="/data", **settings)
    build_seg().attach(hook)
    return hook


def doubled(rows):
    return np.repeat(np.repeat(rows, 2, 0), 2, 1).tolist()


def test_labels_are_stored_as_the_original_image_has_them(tmp_path):
    hook = seg_hook(tmp_path)
    step = seen(hook, doubled([[1, 2], [3, 0]]), iteration=5)
    # Flipped back, into the right half; nothing is known of the left one.
    assert hook.label_folder.read_map("x/a").tolist() == [[255, 255, 2, 1], [255, 255, 0, 3]]
    assert hook.label_folder.read_meta("x/a")["iteration"] == 5
    assert step.log["bank/changed"] == 1


def test_refinement_in_three_steps(tmp_path):
    hook = seg_hook(tmp_path)
    scores = torch.tensor(doubled([[0.95, 0.8], [0.95, 0.95]]))
    seen(hook, doubled([[1, 2], [3, 0]]), scores)
    assert hook.label_folder.read_map("x/a").tolist() == [[255, 255, 255, 1], [255, 255, 0, 3]]
    # 0.95 is not enough to change what is known, and enough for what is not.
    step = seen(hook, doubled([[2, 2], [2, 0]]), 0.95)
    assert hook.label_folder.read_map("x/a").tolist() == [[255, 255, 2, 1], [255, 255, 0, 3]]
    assert step.log["bank/changed"] == 1
    # Sure, and nothing new but background.
    assert seen(hook, doubled([[0, 2], [3, 0]])).log["bank/changed"] == 0
    assert seen(hook, doubled([[1, 3], [3, 0]])).log["bank/changed"] == 1
    assert hook.label_folder.read_map("x/a").tolist() == [[255, 255, 3, 1], [255, 255, 0, 3]]


def test_an_entry_is_not_rewritten_for_a_few_pixels(tmp_path):
    hook = seg_hook(tmp_path, min_change=0.2)
    seen(hook, doubled([[1, 2], [3, 0]]))
    # One of eight pixels of the image would change, then two.
    assert seen(hook, doubled([[2, 2], [3, 0]])).log["bank/changed"] == 0
    assert seen(hook, doubled([[2, 1], [3, 0]])).log["bank/changed"] == 1


def test_nothing_is_written_before_the_start_or_by_an_unsure_teacher(tmp_path):
    hook = seg_hook(tmp_path, start=3)
    seen(hook, doubled([[1, 2], [3, 0]]), iteration=2)
    seen(hook, doubled([[1, 2], [3, 0]]), 0.5, iteration=3)
    assert len(hook.label_folder) == 0


def test_stored_labels_are_used_where_they_are_known(tmp_path):
    PseudoLabelFolder(tmp_path).write_map(
        "x/a", np.array([[1, 1, 2, 255], [1, 1, 3, 0]], np.uint8), {}
    )
    hook = seg_hook(tmp_path, write=False, use=True)
    step = seen(hook, doubled([[1, 1], [1, 1]]), 0.4)
    assert step.pseudo.labels[0].tolist() == doubled([[1, 2], [0, 3]])
    assert step.pseudo.weights[0].tolist() == doubled([[0, 1], [1, 1]])
    assert step.log["bank/used"] == 0.75


def test_a_stored_label_has_a_score_of_its_own(tmp_path):
    """Not that of the other label that the teacher would have given."""
    stored = np.array([[1, 1, 2, 255], [1, 1, 3, 0]], np.uint8)
    PseudoLabelFolder(tmp_path).write_map("x/a", stored, {})
    hook = seg_hook(tmp_path, write=False, use=True, score=0.8)
    # In the view the bank says unknown, 2; 0, 3. The teacher says the same of the lower row.
    scores = torch.tensor(doubled([[0.95, 0.95], [0.9, 0.4]]))
    step = seen(hook, doubled([[1, 1], [0, 3]]), scores)
    expected = torch.tensor(doubled([[0.95, 0.8], [0.9, 0.8]]))
    torch.testing.assert_close(step.pseudo.scores[0], expected)


def test_probabilities_stay_those_of_todays_teacher(tmp_path):
    """By them `NoisyDiceHook` judges what is stored."""
    PseudoLabelFolder(tmp_path).write_map("x/a", np.full((2, 4), 2, np.uint8), {})
    hook = seg_hook(tmp_path, write=False, use=True)
    said = pixels(doubled([[1, 1], [1, 1]]))
    soft = said.soft = torch.rand(1, 4, 4, 4)
    hook.after_teacher(Step(hook.model, 0, weak=views(), pseudo=said))
    assert said.labels.eq(2).all() and torch.equal(said.soft, soft)


def test_a_map_of_another_size_is_refused(tmp_path):
    PseudoLabelFolder(tmp_path).write_map("x/a", np.zeros((3, 3), np.uint8), {})
    with pytest.raises(ValueError, match=r"has the size \(3, 3\), its image \(2, 4\)"):
        seen(seg_hook(tmp_path), doubled([[1, 1], [1, 1]]))


def test_a_view_without_a_record_of_its_geometry_is_refused(tmp_path):
    hook = seg_hook(tmp_path)
    weak = views(homography=None)
    with pytest.raises(ValueError, match="no homography_matrix"):
        hook.after_teacher(Step(hook.model, 0, weak=weak, pseudo=pixels(np.zeros((4, 4)).tolist())))


@pytest.mark.parametrize("reduce", [False, True])
@pytest.mark.parametrize("mapping", [None, {0: 2, 1: 1, 2: 255, 3: 0}])
def test_files_are_read_by_mmsegmentation_as_the_model_meant_them(tmp_path, reduce, mapping):
    from mmseg.datasets.transforms import LoadAnnotations

    classes = 3
    files = FileLabels(classes, reduce, mapping)
    labels = np.array([[0, 1], [2, 255]])
    bank = PseudoLabelFolder(tmp_path)
    bank.write_map("a", files.to_file(labels), {})
    info = dict(
        seg_map_path=str(bank.path("maps", "a")), reduce_zero_label=reduce, label_map=mapping,
        seg_fields=[],
    )  # fmt: skip
    assert LoadAnnotations()(info)["gt_seg_map"].tolist() == labels.tolist()
    assert files.from_file(bank.read_map("a")).tolist() == labels.tolist()


def test_ade_has_no_zero_in_its_files():
    files = FileLabels(150, True)
    assert files.to_file(np.array([0, 149, 255])).tolist() == [1, 150, 255]
    assert files.from_file(np.array([0, 1, 150, 255])).tolist() == [255, 0, 149, 255]


def test_a_mapping_that_never_gives_a_class_is_refused():
    with pytest.raises(ValueError, match="no value of a label file is read as class 2"):
        FileLabels(3, False, {0: 0, 1: 1, 2: 0})


# ---------------------------------------------------------------------- boxes


def box_hook(folder, **settings):
    hook = PseudoLabelDiskHook(folder, root="/data", **settings)
    build_pair().attach(hook)
    return hook


def labeled(hook, boxes):
    one = sample((100, 100), [[2, 0, -20], [0, 2, 0], [0, 0, 1]])
    one.set_metainfo(dict(img_path="/data/a.jpg", ori_shape=(50, 80)))
    step = Step(hook.model, 0, weak=Views(torch.zeros(1, 3, 100, 100), [one]), pseudo=[boxes])
    step.dropped = [{}]
    hook.after_teacher(step)
    return step.pseudo[0]


def test_boxes_are_stored_in_the_original_image_and_refined(tmp_path):
    hook = box_hook(tmp_path)
    labeled(hook, pseudo([[0, 0, 40, 40], [60, 60, 90, 90]], [0.95, 0.5], [1, 1]))
    assert hook.label_folder.read_boxes("a")["boxes"] == [[10, 0, 30, 20]]
    # 0.995 replaces the stored box of its class and adds one of another class.
    found = pseudo([[0, 0, 40, 44], [0, 0, 40, 40]], [0.995, 0.999], [1, 2])
    labeled(hook, found)
    entry = hook.label_folder.read_boxes("a")
    assert entry["boxes"] == [[10, 0, 30, 22], [10, 0, 30, 20]] and entry["labels"] == [1, 2]
    assert (entry["width"], entry["height"]) == (80, 50)
    before = hook.label_folder.path("boxes", "a").stat().st_mtime_ns
    labeled(hook, found)
    assert hook.label_folder.path("boxes", "a").stat().st_mtime_ns == before


def test_stored_boxes_take_the_place_of_the_same_object(tmp_path):
    entry = dict(width=80, height=50, boxes=[[10, 0, 30, 20]], labels=[1], scores=[0.97])
    PseudoLabelFolder(tmp_path).write_boxes("a", entry, {})
    hook = box_hook(tmp_path, write=False, use=True)
    own = pseudo([[0, 0, 44, 40], [0, 0, 40, 40], [60, 60, 90, 90]], [0.9] * 3, [1, 0, 1])
    own.weight_cls = own.weight_cls * 0.5
    boxes = labeled(hook, own)
    assert boxes.bboxes.tolist() == [[0, 0, 40, 40], [0, 0, 40, 40], [60, 60, 90, 90]]
    assert boxes.labels.tolist() == [1, 0, 1]
    assert boxes.weight_cls.tolist() == [1, 0.5, 0.5]
    assert boxes.scores.tolist() == pytest.approx([0.97, 0.9, 0.9])


def with_mask(box, score):
    """A pseudo box with a mask: its left half, in the view of 100x100."""
    boxes = pseudo([box], [score], [1])
    boxes.masks = torch.zeros(1, 100, 100, dtype=torch.bool)
    x1, y1, x2, y2 = box
    boxes.masks[0, y1:y2, x1 : (x1 + x2) // 2] = True
    return boxes


def test_masks_are_stored_with_their_boxes_and_used(tmp_path):
    hook = box_hook(tmp_path, use=True)
    labeled(hook, with_mask([0, 0, 40, 40], 0.95))
    entry = hook.label_folder.read_boxes("a")
    stored = decode(entry["masks"][0], 50, 80)  # the view is twice as large, from x = 10 on
    assert stored[:20, 10:20].all() and stored.sum() == 200
    found = labeled(hook, with_mask([60, 60, 90, 90], 0.5))
    assert found.bboxes.tolist() == [[0, 0, 40, 40], [60, 60, 90, 90]]
    assert found.masks.flatten(1).sum(1).tolist() == [40 * 20, 30 * 15]
    assert found.masks[0, :40, :20].all()
    content = json.loads(hook.label_folder.export_coco(["x", "y"]).read_text())
    assert content["annotations"][0]["segmentation"] == entry["masks"][0]


def test_stored_boxes_without_masks_do_not_suit_a_detector_with_masks(tmp_path):
    entry = dict(width=80, height=50, boxes=[[10, 0, 30, 20]], labels=[1], scores=[0.97])
    PseudoLabelFolder(tmp_path).write_boxes("a", entry, {})
    with pytest.raises(ValueError, match="the stored boxes have no masks"):
        labeled(box_hook(tmp_path, use=True), with_mask([0, 0, 40, 40], 0.95))


def test_no_boxes_and_no_entry(tmp_path):
    hook = box_hook(tmp_path, use=True)
    assert len(labeled(hook, pseudo([], []))) == 0
    assert len(hook.label_folder) == 0


def test_stored_boxes_belong_to_all_tasks(tmp_path):
    hook = box_hook(tmp_path, use=True)
    labeled(hook, pseudo([[0, 0, 9, 9]], [0.95]))
    boxes = pseudo([[20, 20, 30, 30]], [0.5])
    boxes.in_cls = boxes.scores > 0.9
    found = labeled(hook, boxes)
    assert found.in_cls.tolist() == [True, False]
    assert found.source.tolist() == [Source.MEMORY, Source.ANNOTATION]


def test_a_whole_step_writes_uses_and_exports(tmp_path):
    for build, batch, kind in (
        (build_seg, seg_batch(sup=1, unsup=2), "maps"),
        (build_pair, multi_branch(sup=1, unsup=2), "boxes"),
    ):
        for number, one in enumerate(batch["data_samples"]["unsup_teacher"]):
            if one is not None:
                one.set_metainfo({"img_path": f"/data/{number}.jpg"})
        hook = PseudoLabelDiskHook(tmp_path / kind, use=True, score=0.0)
        model = build()
        model.attach(hook)
        found = losses(model, batch)
        assert all(torch.isfinite(v).all() for k, v in found.items() if isinstance(v, torch.Tensor))
        assert hook.label_folder.keys(kind) == ["1", "2"] and hook.export().is_file()


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (dict(score=1.3), r"PseudoLabelDiskHook: score=1.3 is not in \[0, 1\]"),
        (dict(start=-1), "start=-1"),
        (dict(write=False), "leave nothing to do"),
    ],
)
def test_settings_are_checked(settings, says):
    with pytest.raises(ValueError, match=says):
        PseudoLabelDiskHook(**settings)


def test_a_run_says_where_the_bank_is_and_what_its_files_mean(tmp_path):
    from types import SimpleNamespace as Namespace

    hook = PseudoLabelDiskHook()
    build_seg().attach(hook)
    with pytest.raises(RuntimeError, match="set folder"):
        seen(hook, doubled([[1, 2], [3, 0]]))
    labeled = Namespace(reduce_zero_label=True, label_map=None)
    dataset = Namespace(datasets=[Namespace(), labeled], metainfo=dict(classes=("a", "b")))
    runner = Namespace(iter=0, work_dir=tmp_path, train_dataloader=Namespace(dataset=dataset))
    hook.before_train(runner)
    assert hook.class_names == ["a", "b"]
    seen(hook, doubled([[1, 2], [3, 0]]))
    # Class 0 is the value 1 in the files, and 0 is nothing there.
    assert hook.label_folder.read_map("a").tolist() == [[255, 255, 3, 2], [255, 255, 1, 4]]
    hook.after_train(runner)
    assert (tmp_path / "pseudo" / "images.txt").read_text() == "a\n"
