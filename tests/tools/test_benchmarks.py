"""The two benchmarks of methods compare like with like."""

import argparse
import json
import sys
from functools import partial
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import RUNNERS
from mmengine.runner import load_checkpoint

from ssdet.engine.configs import load_config
from ssdet.exits import UsageError
from ssdet.report import read_run
from ssdet.testing import detector

ROOT = Path(__file__).parents[2]


@pytest.fixture
def tools(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    import benchmark_labels
    import benchmark_methods

    yield benchmark_labels, benchmark_methods
    for name in ("benchmark_labels", "benchmark_methods", "benchmark_worth"):
        sys.modules.pop(name)


def test_the_baseline_of_a_demo_has_the_same_everything_but_the_unlabeled_scenes(tools):
    demo = load_config("soft_teacher/faster-rcnn_demo.py")
    base = tools[1].supervised(demo)
    assert base.model.detector == demo.model.detector
    for part in ("optim_wrapper", "param_scheduler", "train_cfg", "val_dataloader", "randomness"):
        assert base[part] == demo[part], part
    ours, theirs = demo.train_dataloader, base.train_dataloader
    assert theirs.dataset.datasets == ours.dataset.datasets[:1]
    assert theirs.batch_size == ours.sampler.batch[0]
    assert [hook.type for hook in base.custom_hooks] == ["TeacherEMAHook"]
    assert base.custom_hooks[0] == demo.custom_hooks[0]


def test_a_baseline_has_the_memory_format_of_the_methods(tools):
    protocol = load_config("label_efficiency/retinanet_lite0_bccd.py")
    assert tools[1].supervised(protocol).model.channels_last


def test_demos_of_one_base_share_their_baseline(tools, tmp_path):
    names = ("mean_teacher/faster-rcnn_demo.py", "soft_teacher/faster-rcnn_demo.py")
    paths = [ROOT / "configs" / name for name in names]
    one, other = tools[1].demos_of(paths, [3], tmp_path)
    assert one.base[0] is other.base[0] and one.semi[0] is not other.semi[0]
    assert one.base[0].seed == 3 and not one.base[0].finished
    assert (
        load_config(str(one.base[0].config)).model
        == tools[1].supervised(load_config(str(paths[0]))).model
    )


def test_the_variables_of_a_demo_do_not_make_its_baseline_another_one(tools, tmp_path):
    demos = [ROOT / "configs" / name for name in ("cw_bass/deeplabv3plus_demo.py",
                                                  "fst/deeplabv3plus_demo.py")]  # fmt: skip
    assert load_config(str(demos[0])).model != load_config(str(demos[1])).model
    one, other = tools[1].demos_of(demos, [0], tmp_path)
    assert one.base[0] is other.base[0]


def test_a_control_has_the_labeled_scenes_as_its_unlabeled_ones(tools, tmp_path):
    demo = ROOT / "configs" / "fixmatch_seg" / "deeplabv3plus_classmix_demo.py"
    ((plain,), (controlled,)) = (
        tools[1].demos_of([demo], [0], tmp_path, **asked)
        for asked in ({}, dict(kind="control", change=tools[1].control))
    )
    assert plain.semi[0].folder != controlled.semi[0].folder
    assert plain.base[0].folder == controlled.base[0].folder
    assert controlled.name == f"{plain.name} (control)"
    ours, theirs = (load_config(str(one.semi[0].config)) for one in (controlled, plain))
    labeled, unlabeled = ours.train_dataloader.dataset.datasets
    assert unlabeled.split == labeled.split == "labeled"
    assert theirs.train_dataloader.dataset.datasets[1].split == "unlabeled"
    unlabeled.split = "unlabeled"
    assert ours.train_dataloader == theirs.train_dataloader
    assert ours.custom_hooks == theirs.custom_hooks


def test_a_hook_is_left_out_of_a_demo(tools, tmp_path):
    demo = ROOT / "configs" / "agreement" / "faster-rcnn_demo.py"
    change = partial(tools[1].without, "OccludeHook")
    ((plain,), (fewer,)) = (
        tools[1].demos_of([demo], [0], tmp_path, **asked)
        for asked in ({}, dict(kind="without OccludeHook", change=change))
    )
    assert plain.base[0].folder == fewer.base[0].folder
    assert plain.semi[0].folder != fewer.semi[0].folder
    assert fewer.name == "agreement/faster-rcnn_demo (without OccludeHook)"
    theirs, ours = (load_config(str(one.semi[0].config)) for one in (plain, fewer))
    assert ours.custom_hooks == [h for h in theirs.custom_hooks if h.type != "OccludeHook"]
    assert ours.model == theirs.model and len(ours.custom_hooks) == len(theirs.custom_hooks) - 1
    with pytest.raises(SystemExit, match=r"no such hook. It lists TeacherEMAHook, "):
        tools[1].without("CutMixHook", load_config(str(demo)))


def test_a_demo_and_its_baseline_get_other_values(tools, tmp_path):
    path = ROOT / "configs/adaptation/deeplabv3plus_demo.py"
    (plain,) = tools[1].demos_of([path], [0], tmp_path)
    (noisy,) = tools[1].demos_of([path], [0], tmp_path, options=["domain=noise"])
    assert noisy.name == "adaptation/deeplabv3plus_demo (domain=noise)"
    for one, domain in ((plain, "fog"), (noisy, "noise")):
        for job in (*one.semi, *one.base):
            config = load_config(str(job.config))
            assert config.val_dataloader.dataset.pipeline[0].domain == domain
    assert {plain.semi[0].folder, plain.base[0].folder}.isdisjoint(
        {noisy.semi[0].folder, noisy.base[0].folder}
    )


def test_a_demo_that_is_not_there_is_named(tools, tmp_path):
    with pytest.raises(UsageError, match=r"mixpl/gfl_demo\.py: there is no such file in .*configs"):
        tools[1].demos_of([Path("mixpl/gfl_demo.py")], [0], tmp_path)


def test_a_part_of_a_config_is_no_demo(tools, tmp_path):
    path = ROOT / "configs/_base_/datasets/bccd.py"
    with pytest.raises(UsageError, match=r"bccd\.py: .* it has no model, train_cfg; give a demo"):
        tools[1].demos_of([path], [0], tmp_path)


def test_masks_have_a_line_of_their_own_and_the_baseline_its_better_model(tools, tmp_path):
    def run(name, boxes, masks):
        line = {"mode": "val", "iter": 4}
        for role, box, mask in zip(("student", "teacher"), boxes, masks, strict=True):
            line |= {f"{role}/coco/bbox_mAP": box, f"{role}/coco/segm_mAP": mask}
        return finished(tmp_path / name, [line])

    base = run("base", (0.4, 0.5), (0.25, 0.2))
    semi = run("semi", (0.6, 0.55), (0.2, 0.3))
    lines = tools[1].rows(tools[1].Demo("x/y_demo", [semi], [base]))
    assert lines == [
        "| x/y_demo | box AP | 50.0 | 60.0 | 55.0 | +10.0 |",
        "| x/y_demo | mask AP | 25.0 | 20.0 | 30.0 | +5.0 |",
    ]


def test_a_method_without_an_average_has_no_teacher_in_the_table(tools, tmp_path):
    def run(name, score):
        return finished(tmp_path / name, [{"mode": "val", "iter": 4, "student/mIoU": score}])

    demo = tools[1].Demo("x/y_demo", [run("semi", 59.5)], [run("base", 59.2)])
    assert tools[1].rows(demo) == ["| x/y_demo | mean IoU | 59.2 | 59.5 |  | +0.3 |"]


@pytest.mark.parametrize("name", ["cps", "mgd"])
def test_a_method_brings_its_hooks_and_settings_and_the_protocol_the_rest(tools, name):
    protocol = load_config("label_efficiency/deeplabv3plus_r18_dsb2018.py")
    method = load_config(f"{name}/deeplabv3plus_demo.py")
    mixed = tools[0].with_method(protocol, method)
    assert mixed.custom_hooks == [h for h in method.custom_hooks if h.type != "GalleryHook"]
    assert mixed.model.segmentor == protocol.model.segmentor != method.model.segmentor
    assert mixed.model.burn_in == protocol.model.burn_in
    for network in mixed.model.auxiliary.values():
        assert network == protocol.model.segmentor, "further networks are the protocol's"
    assert mixed.train_dataloader == protocol.train_dataloader


@pytest.mark.parametrize(
    ("protocol", "method", "network", "sizes"),
    [
        ("deeplabv3plus_r18_dsb2018", "shape_prior/deeplabv3plus", "shape_prior", (2, None)),
        ("deeplabv3plus_r18_dsb2018", "shrinkmatch/deeplabv3plus", "shrink", (2, 128)),
        ("faster-rcnn_r18_bccd", "dual_polish/faster-rcnn", "cls_polisher", (3, 64)),
        ("faster-rcnn_r18_bccd", "dual_polish/faster-rcnn", "box_polisher", (None, 64)),
    ],
)
def test_further_networks_fit_the_protocol(tools, protocol, method, network, sizes):
    protocol = load_config(f"label_efficiency/{protocol}.py")
    method = load_config(f"{method}_demo.py")
    before = method.model.auxiliary[network].to_dict()
    fitted = tools[0].with_method(protocol, method).model.auxiliary[network]
    assert (fitted.get("num_classes"), fitted.get("in_channels")) == sizes
    assert fitted.keys() == before.keys()
    assert method.model.auxiliary[network] == before, "the method is as it was"


def test_a_second_strong_view_is_one_like_the_first(tools):
    protocol = load_config("label_efficiency/deeplabv3plus_r18_dsb2018.py")
    mixed = tools[0].with_method(protocol, load_config("unimatch/deeplabv3plus_demo.py"))
    labeled, unlabeled = (s.pipeline[0] for s in mixed.train_dataloader.dataset.datasets)
    assert unlabeled.views.unsup_student_2 == unlabeled.views.unsup_student
    assert labeled.branch_field == unlabeled.branch_field, (
        "a batch has the same ones of all sources"
    )
    assert set(unlabeled.branch_field) == {"sup", *unlabeled.views}
    assert "unsup_student_2" not in protocol.train_dataloader.dataset.datasets[1].pipeline[0].views


@pytest.mark.parametrize(
    ("method", "hook", "key", "value"),
    [
        ("hssda/deeplabv3plus_demo.py", "TeacherEMAHook", "begin", 0),
        ("thresholds/deeplabv3plus_quantile_demo.py", "QuantileThresholdHook", "length", 1500),
        ("rail/deeplabv3plus_demo.py", "RegionInstructionHook", "ramp_length", 1000),
    ],
)
def test_the_schedules_of_a_method_have_the_lengths_of_the_protocol(
    tools, method, hook, key, value
):
    """And its burn-in lies behind it, unless further networks have one, too."""
    protocol = load_config("label_efficiency/deeplabv3plus_r18_dsb2018.py")
    assert (protocol.burn_in, protocol.iterations) == (1000, 1500)
    config = tools[0].trained_with(protocol, method)
    assert next(h[key] for h in config.custom_hooks if h["type"] == hook) == value


def test_a_method_of_another_task_is_refused(tools):
    protocol = load_config("label_efficiency/retinanet_r18_bccd.py")
    with pytest.raises(UsageError, match="is not one for a detector"):
        tools[0].with_method(protocol, load_config("cps/deeplabv3plus_demo.py"))


def test_share_of_the_gap_is_taken_over_the_seeds_that_all_have(tools, monkeypatch):
    labels = tools[0]
    scores = {
        labels.BASELINE: {0: 40.0, 1: 44.0},
        "method": {0: 46.0, 1: 49.0, 2: 99.0},
        labels.CEILING: {0: 50.0, 1: 54.0},
    }
    monkeypatch.setattr(labels.Cell, "scores", lambda cell: scores[cell.kind])
    monkeypatch.setattr(labels.Cell, "minutes", lambda cell: [10.0] * len(scores[cell.kind]))
    cells = [labels.Cell(kind, "10") for kind in (labels.BASELINE, "method")]
    text = labels.table([*cells, labels.Cell(labels.CEILING, "full")])
    # (47.5 - 42) / (52 - 42)
    assert "| 10 | method | 64.7 ± 29.8 | 55% | 10.0 ± 0.0 | 3 |" in text
    assert "| full | all labels | 52.0 ± 2.8 |  | 10.0 ± 0.0 | 2 |" in text


@pytest.mark.parametrize(
    ("score", "images"),
    [(40, 10), (45, 20), (42.5, 200**0.5), (50, 80), (47.5, 40), (50.1, None),
     (35, 5)],  # below the curve: its first slope says 5 points for twice the images
)  # fmt: skip
def test_a_score_is_worth_so_many_labeled_images(tools, score, images):
    from benchmark_worth import worth

    curve = [(80, 50.0), (10, 40.0), (20, 45.0), (40, 44.0)]  # 40 images were a bad draw
    found = worth(score, curve)
    assert found == (images and pytest.approx(images))


def test_the_label_multiplier_is_that_of_each_seed(tools, monkeypatch, tmp_path):
    from benchmark_worth import labeled_images, worth_table

    labels = tools[0]
    scores = {("base", "10"): {0: 40.0, 1: 42.0}, ("base", "20"): {0: 45.0, 1: 46.0},
              ("all", "full"): {0: 50.0, 1: 50.0},
              ("method", "10"): {0: 45.0, 1: 51.0}}  # fmt: skip
    monkeypatch.setattr(labels.Cell, "scores", lambda cell: scores[cell.kind, cell.labels])
    cells = [labels.Cell(kind, share) for kind, share in scores]
    for cell in cells:
        cell.images = dict.fromkeys((0, 1), {"10": 10, "20": 20, "full": 80}[cell.labels])
    text = worth_table(cells, "base", "all")
    assert text.splitlines()[2:] == ["| 10 | method | 5.0 | 2.0, >8.0 |"]
    assert worth_table(cells[:1], "base", "all") == ""
    (tmp_path / "a.json").write_text(json.dumps(dict(images=[{}, {}, {}])))
    (tmp_path / "b.txt").write_text("x\ny\n")
    for name, count in (("a.json", 3), ("b.txt", 2)):
        source = dict(data_root=str(tmp_path), ann_file=name)
        config = Config(dict(train_dataloader=dict(dataset=dict(datasets=[source]))))
        assert labeled_images(config) == count


def test_the_time_of_a_run_is_that_of_its_iterations(tools, tmp_path):
    """Iterations that were done again count once, and evaluations not at all."""
    times = [(10, 1.0), (20, 9.0), (20, 2.0), (30, 3.0)]
    lines = [{"mode": "train", "iter": n, "time": seconds} for n, seconds in times]
    run = finished(tmp_path / "run", [*lines, {"iter": 30, "time": 99.0, "mIoU": 50.0}])
    run.iterations = 30
    going = argparse.Namespace(folder=tmp_path / "run", finished=False, iterations=30)
    cell = tools[0].Cell("method", "10", runs={0: run, 1: going})
    assert cell.minutes() == [pytest.approx(2.0 * 30 / 60)]


def tiny_demo():
    """A demo of detection with two iterations, the first with labels alone."""
    options = dict(count=8, labeled=4, val_count=4, iterations=2, burn_in=1, batch=(2, 2))
    config = load_config("mean_teacher/gfl_demo.py", options)
    config.optim_wrapper.optimizer.lr, config.param_scheduler = 0.01, []
    config.train_cfg.val_interval = 2
    for hook in ("logger", "metrics"):
        config.default_hooks[hook].interval = 1
    config.default_hooks.checkpoint.update(interval=2, save_best=None)
    return config


class Students(Hook):
    """Remembers the student at the start and after each iteration."""

    def before_train(self, runner):
        self.states = []
        self.after_train_iter(runner)

    def after_train_iter(self, runner, *args, **kwargs):
        state = runner.model.student.state_dict()
        self.states.append({key: value.clone() for key, value in state.items()})


def test_mmdetections_own_mean_teacher_trains_on_a_protocol(tools, tmp_path):
    """It is MMDetection's code: teacher = 0.995 teacher + 0.005 student, a copy at first."""
    from benchmark_peer import peer

    demo = tiny_demo()
    config = peer(demo)
    for part in ("train_dataloader", "val_dataloader", "optim_wrapper", "train_cfg"):
        assert config[part] == demo[part], part
    assert config.model.detector == demo.model.detector
    config.model.semi_train_cfg.cls_pseudo_thr = config.model.detector.test_cfg.score_thr = 0.0
    config.work_dir = str(tmp_path)
    runner = RUNNERS.build(config)
    kept = Students()
    runner.register_hook(kept, priority="VERY_HIGH")
    runner.train()
    run = read_run(tmp_path)
    assert [line["iter"] for line in run.train if "sup_loss_cls" in line] == [1, 2]
    for line in run.train:
        assert line["unsup_loss_cls"] > 0 and line["unsup_loss_bbox"] > 0
    start, first, second = kept.states
    for name, value in runner.model.teacher.named_parameters():
        expected = 0.995 * (0.995 * start[name] + 0.005 * first[name]) + 0.005 * second[name]
        torch.testing.assert_close(value.data, expected, rtol=1e-5, atol=1e-7)
    assert any((first[k] - second[k]).abs().max() > 1e-3 for k in first)
    judged = {key.partition("/")[0] for key in run.logged("val") if "/" in key}
    assert judged == {"teacher", "student"}


def test_mmdetection_has_no_segmentors(tools):
    from benchmark_peer import peer

    with pytest.raises(UsageError, match="--peer: MMDetection has detectors only"):
        peer(load_config("label_efficiency/deeplabv3plus_r18_dsb2018.py"))


def test_an_ablation_takes_away_one_hook_at_a_time(tools):
    method = load_config("mixed/faster-rcnn_demo.py")
    kinds = [hook.type for hook in method.custom_hooks]
    found = tools[0].without_each_hook(method)
    copied = found.pop("without TeacherEMAHook").custom_hooks
    assert copied[kinds.index("TeacherEMAHook")] == dict(type="TeacherEMAHook", momentum=0.0)
    assert [hook["type"] for hook in copied] == kinds
    removed = [kind for kind in kinds if kind not in ("TeacherEMAHook", "GalleryHook")]
    assert list(found) == [f"without {kind}" for kind in removed] and len(removed) > 2
    for name, config in found.items():
        left = [hook.type for hook in config.custom_hooks]
        assert [*left, name.removeprefix("without ")] != left
        assert sorted([*left, name.removeprefix("without ")]) == sorted(kinds)
        assert config.model == method.model
    assert [hook.type for hook in method.custom_hooks] == kinds


def test_two_hooks_of_a_kind_are_told_apart(tools):
    method = load_config("mean_teacher/gfl_demo.py")
    method.custom_hooks = [dict(type="EraseHook", count=n) for n in (1, 2)]
    found = tools[0].without_each_hook(method)
    left = {name: config.custom_hooks[0]["count"] for name, config in found.items()}
    assert left == {"without EraseHook 1": 2, "without EraseHook 2": 1}


def asked(tmp_path, protocol, labels, **more):
    """The arguments of the benchmark of labels."""
    plain = dict(
        methods=[], ablate=None, control=False, oracle=False, peer=False, seeds=[0], set=[]
    )
    return argparse.Namespace(
        data=tmp_path, protocol=protocol, labels=labels, out=tmp_path / "out", **(plain | more)
    )


def test_what_is_trained_for_each_number_of_labels(tools, tmp_path):
    args = asked(
        tmp_path,
        "label_efficiency/faster-rcnn_r18_bccd.py",
        ["5"],
        methods=["mean_teacher/faster-rcnn_demo.py"],
        ablate="soft_teacher/faster-rcnn_demo.py",
        peer=True,
        seeds=[0, 1],
        set=["iterations=6"],
    )
    cells = tools[0].cells_of(args)
    kinds = [cell.kind for cell in cells if cell.labels == "5"]
    assert [(cell.kind, cell.labels) for cell in cells[len(kinds) :]] == [("all labels", "full")]
    assert kinds[:3] == ["supervised", args.methods[0][:-3], args.ablate[:-3]]
    assert "without BoxJitterHook" in kinds and kinds[-1] == "MMDetection SemiBaseDetector"
    jobs = [one for cell in cells for one in cell.runs.values()]
    assert len({one.folder for one in jobs}) == len(jobs) == 2 * len(cells)
    theirs = [load_config(str(cells[len(kinds) - 1].runs[seed].config)) for seed in (0, 1)]
    assert theirs[0].model.type == "SemiDetectorOfViews"
    for config, draw in zip(theirs, ("", "_seed1"), strict=True):
        labeled, unlabeled = config.train_dataloader.dataset.datasets
        assert labeled.ann_file == f"annotations/train_labeled_5{draw}.json"
        assert unlabeled.source == f"annotations/train_unlabeled_5{draw}.json"


def test_all_runs_with_the_same_labels_begin_from_one_burn_in(tools, tmp_path):
    args = asked(
        tmp_path,
        "label_efficiency/retinanet_r18_bccd.py",
        ["5", "10"],
        methods=["mean_teacher/gfl_demo.py"],
        peer=True,
        set=["iterations=6", "burn_in=4"],
    )
    cells = tools[0].cells_of(args)
    for labels in ("5", "10", "full"):
        (begin,) = {cell.burn_ins[0].name for cell in cells if cell.labels == labels}
        job = next(cell.burn_ins[0] for cell in cells if cell.labels == labels)
        config = load_config(str(job.config))
        assert begin == f"burn-in-{labels} seed 0" and job.iterations == 4
        assert config.param_scheduler[-1]["end"] == 4 and config.custom_hooks[0].momentum == 0.995
        (source,) = config.train_dataloader.dataset.datasets
        assert source.ann_file.removesuffix(".json").endswith(labels)
        for cell in cells:
            if cell.labels == labels:
                begun = load_config(str(cell.runs[0].config))
                assert begun.load_from == str(job.folder / "begin.pth")
                assert begun.train_cfg.max_iters == 6
                assert begun.model.get("burn_in", 0) == 0


def test_a_method_that_holds_out_images_has_a_burn_in_without_them(tools, tmp_path):
    method = "label_efficiency/retinanet_lite0_bccd_calibrated.py"
    args = asked(tmp_path, "label_efficiency/retinanet_lite0_bccd.py", ["10"], methods=[method])
    baseline, calibrated, ceiling = tools[0].cells_of(args)
    begun = [cell.burn_ins[0] for cell in (baseline, calibrated, ceiling)]
    configs = [load_config(str(job.config)) for job in (*begun, calibrated.runs[0])]
    shares = [c.train_dataloader.dataset.get("held_out", 0) for c in configs]
    assert shares == [0, 0.25, 0, 0.25]
    assert (
        load_config(str(baseline.runs[0].config)).train_dataloader.dataset.get("held_out") is None
    )
    assert len({job.folder for job in begun}) == 3
    assert configs[-1].load_from.startswith(str(begun[1].folder))
    base = tools[1].supervised(load_config(method))
    assert "held_out" not in base.train_dataloader.dataset


def test_a_method_with_more_networks_does_burn_in_and_the_rest_in_one(tools, tmp_path):
    args = asked(
        tmp_path,
        "label_efficiency/deeplabv3plus_r18_dsb2018.py",
        ["1_16"],
        methods=["cps/deeplabv3plus_demo.py"],
        set=["iterations=6", "burn_in=4"],
    )
    baseline, cps, _ = tools[0].cells_of(args)
    config = load_config(str(cps.runs[0].config))
    assert not cps.burn_ins and config.get("load_from") is None
    assert config.model.burn_in == 4 and config.train_cfg.max_iters == cps.runs[0].iterations == 10
    assert baseline.burn_ins and baseline.runs[0].iterations == 6


def test_a_control_takes_its_unlabeled_images_from_the_labeled_ones(tools, tmp_path):
    args = asked(
        tmp_path,
        "label_efficiency/deeplabv3plus_r18_dsb2018.py",
        ["1_8"],
        methods=["fixmatch_seg/deeplabv3plus_demo.py"],
        control=True,
        seeds=[1],
    )
    _, plain, controlled, _ = tools[0].cells_of(args)
    assert controlled.kind == f"{plain.kind} without unlabeled images"
    ours, theirs = (load_config(str(cell.runs[1].config)) for cell in (controlled, plain))
    labeled, unlabeled = ours.train_dataloader.dataset.datasets
    assert labeled.ann_file == unlabeled.source == "splits/seed1/labeled_1_8.txt"
    unlabeled.source = "splits/seed1/unlabeled_1_8.txt"
    assert ours.train_dataloader == theirs.train_dataloader
    assert ours.custom_hooks == theirs.custom_hooks
    assert controlled.burn_ins[1].folder == plain.burn_ins[1].folder


def test_a_config_that_is_no_protocol_is_refused(tools, tmp_path):
    args = asked(tmp_path, "mean_teacher/gfl_demo.py", ["5"])
    with pytest.raises(UsageError, match="no variable `draws`; a protocol is a"):
        tools[0].cells_of(args)


def test_data_without_its_lists_are_refused_before_a_training(tools, tmp_path, monkeypatch):
    labels = tools[0]
    monkeypatch.setattr(labels, "train", lambda *_: pytest.fail("trained"))
    protocol = "label_efficiency/retinanet_lite0_bccd.py"
    line = f"tool {tmp_path} --protocol {protocol} --labels 10 --seeds 0 --out {tmp_path / 'out'}"
    monkeypatch.setattr(sys, "argv", line.split())
    missing = tmp_path / "annotations" / "train_labeled_10.json"
    with pytest.raises(UsageError, match=f"{missing} does not exist: .*supervised-10-seed0.py"):
        labels.main()


def test_a_run_without_a_burn_in_begins_from_scratch(tools, tmp_path):
    args = asked(tmp_path, "label_efficiency/retinanet_r18_bccd.py", ["5"], set=["burn_in=0"])
    for cell in tools[0].cells_of(args):
        assert not cell.burn_ins
        assert load_config(str(cell.runs[0].config)).get("load_from") is None


def test_what_a_failed_burn_in_should_begin_is_not_trained(tools, tmp_path, monkeypatch):
    labels = tools[0]
    names = ("begin 1", "begin 2", "run 1", "run 2")
    one, other, *runs = (
        argparse.Namespace(folder=tmp_path / name, finished=False, name=name) for name in names
    )
    cells = [labels.Cell("a", "5", {0: runs[0]}, burn_ins={0: one}),
             labels.Cell("b", "10", {0: runs[1]}, burn_ins={0: other})]  # fmt: skip
    trained = []

    def run_jobs(jobs, parallel, *, keep_going):
        trained.append([job.name for job in jobs])
        return [job for job in jobs if job is one]

    begun = []
    monkeypatch.setattr(labels, "run_jobs", run_jobs)
    monkeypatch.setattr(labels, "write_begin", begun.append)
    assert labels.train(cells, [0], 2) == [one]
    assert trained == [["begin 1", "begin 2"], ["run 2"]]
    assert begun == [other]


def test_a_run_begins_with_the_student_of_the_burn_in_as_its_teacher(tools, tmp_path):
    pair = detector()
    for model, value in ((pair.student, 2.0), (pair.teacher, 1.0)):
        next(model.parameters()).data.fill_(value)
    (tmp_path / "checkpoints").mkdir()
    torch.save({"state_dict": pair.state_dict()}, tmp_path / "checkpoints/iter_4.pth")
    tools[0].write_begin(argparse.Namespace(folder=tmp_path, iterations=4))
    begun = detector()
    load_checkpoint(begun, str(tmp_path / "begin.pth"))
    for name, weights in begun.student.state_dict().items():
        assert torch.equal(weights, pair.student.state_dict()[name]), name
        assert torch.equal(weights, begun.teacher.state_dict()[name]), name


@pytest.mark.parametrize("name", ["retinanet_r18_bccd", "deeplabv3plus_r18_dsb2018"])
def test_the_draw_of_a_protocol_chooses_the_labeled_images(name):
    """A variable that is computed would not be replaced."""
    name = f"label_efficiency/{name}.py"
    draw = load_config(name).draws[2]
    for source in load_config(name, dict(draw=draw)).train_dataloader.dataset.datasets:
        assert draw in source.get("ann_file", source.get("source"))


def write_run(folder, lines):
    folder.mkdir()
    text = "\n".join(json.dumps({"mode": "val", **line}) for line in lines)
    (folder / "metrics.jsonl").write_text(text + "\n")


def finished(folder, lines):
    write_run(folder, lines)
    return argparse.Namespace(folder=folder, finished=True)


def test_groups_of_images_have_a_table_of_their_own(tools, tmp_path):
    """Of the last evaluation, and of the model whose score counts."""
    early = {"iter": 5, "teacher/mIoU": 99, "student/mIoU": 1, "teacher/rare/mIoU": 99}
    late = [
        {"iter": 9, "teacher/mIoU": 80.0, "teacher/rare/mIoU": 40.0 + n, "teacher/rare/mDice": 50.0}
        | {"student/mIoU": 70.0, "student/rare/mIoU": 90.0, "student/rare/mDice": 90.0}
        for n in (0, 2)
    ]
    labels = tools[0]
    cell = labels.Cell("method", "1_16")
    cell.runs = {n: finished(tmp_path / str(n), [early, line]) for n, line in enumerate(late)}
    assert cell.scores() == {0: 80.0, 1: 80.0}
    text = labels.parts_table([cell, labels.Cell(labels.CEILING, "full")])
    assert text.splitlines()[0] == "| labels | trained with | rare mIoU | rare Dice |"
    assert text.splitlines()[2:] == [
        "| 1_16 | method | 41.0 ± 1.4 | 50.0 ± 0.0 |",
        "| full | all labels |  |  |",
    ]
    assert labels.parts_table([labels.Cell("method", "10")]) == ""


def test_classes_have_a_table_of_their_own(tools, tmp_path):
    labels = tools[0]
    cell = labels.Cell("method", "10")
    line = {"iter": 9, "teacher/coco/bbox_mAP": 0.4, "student/coco/bbox_mAP": 0.5}
    line |= {f"{role}/coco/WBC_precision": ap for role, ap in (("teacher", 0.7), ("student", 0.8))}
    cell.runs = {0: finished(tmp_path / "run", [line])}
    text = labels.parts_table([cell])
    assert text.splitlines()[0::2] == [
        "| labels | trained with | WBC AP |",
        "| 10 | method | 80.0 |",
    ]


def test_a_protocol_says_which_metric_counts(tools, tmp_path):
    line = {"iter": 4, "teacher/coco/bbox_mAP": 0.5, "teacher/coco/segm_mAP": 0.25}
    cell = tools[0].Cell("method", "10", {0: finished(tmp_path / "run", [line])})
    assert cell.scores() == {0: 50.0}
    cell.metric = load_config("label_efficiency/mask-rcnn_r18_dsb2018.py").metric
    assert cell.scores() == {0: 25.0}


@pytest.mark.parametrize(("kind", "score"), [("supervised", 50.0), ("method", 40.0)])
def test_the_baseline_has_the_better_one_of_two_lengths(tools, tmp_path, kind, score):
    burn_in = finished(tmp_path / "burn-in", [{"iter": 2, "student/coco/bbox_mAP": 0.5}])
    run = finished(tmp_path / "run", [{"iter": 4, "student/coco/bbox_mAP": 0.4}])
    cell = tools[0].Cell(kind, "10", {0: run}, burn_ins={0: burn_in})
    assert cell.scores() == {0: score}
    burn_in.finished = False
    assert cell.scores() == {0: 40.0}


def test_a_run_that_found_nothing_scores_zero(tools, tmp_path):
    cell = tools[0].Cell("method", "10", {0: finished(tmp_path / "run", [{"iter": 4}])})
    assert cell.scores() == {0: 0.0}


def test_growth_is_measured_in_the_second_half(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    import benchmark_endurance

    sys.modules.pop("benchmark_endurance")
    rows = [{"iteration": 100 * n, "megabytes": max(n, 5) * 2.0} for n in range(1, 11)]
    assert benchmark_endurance.slope(rows, "megabytes") == pytest.approx(0.02)
    flat = [{"iteration": 100 * n, "megabytes": min(n, 5) * 2.0} for n in range(1, 11)]
    assert benchmark_endurance.slope(flat, "megabytes") == pytest.approx(0.0, abs=1e-12)


def test_pairs_of_imperfect_labels_differ_in_one_hook(tools, tmp_path):
    import benchmark_given_labels as given

    pairs = given.pairs_of([0, 1], tmp_path, iterations=50)
    assert len(pairs) == len(given.PAIRS)
    for pair, (_, _, hook, _) in zip(pairs, given.PAIRS, strict=True):
        for ours, plain in zip(pair.ours, pair.plain, strict=True):
            with_it, without = load_config(str(ours.config)), load_config(str(plain.config))
            assert [one for one in with_it.custom_hooks if one.type != hook] == without.custom_hooks
            assert len(with_it.custom_hooks) == len(without.custom_hooks) + 1
            for part in ("train_dataloader", "optim_wrapper", "param_scheduler", "train_cfg"):
                assert with_it[part] == without[part], part
    garbage = load_config(str(pairs[1].ours[0].config)).custom_hooks[-1].labels
    assert garbage.missed == 0.9 and pairs[0].plain[0] is pairs[1].plain[0]
    sys.modules.pop("benchmark_given_labels")
