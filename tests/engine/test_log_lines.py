"""What other packages log: floods become one line, riddles advice."""

import logging

import pytest
from mmengine.logging import MMLogger, print_log
from mmengine.optim import build_optim_wrapper
from mmengine.runner.checkpoint import load_state_dict
from torch import nn

from ssdet.engine.log_lines import make_readable


@pytest.fixture
def lines(monkeypatch):
    """A readable logger, and the lines that it lets through."""
    logger = MMLogger("test-log-lines", "test-log-lines")
    monkeypatch.setattr(MMLogger, "get_current_instance", classmethod(lambda cls: logger))
    heard = []
    logger.setLevel(logging.INFO)
    monkeypatch.setattr(logger, "callHandlers", heard.append)
    make_readable(logger)
    make_readable(logger)
    return heard


def said(lines):
    return [(record.levelno, record.getMessage()) for record in lines]


def pair(count):
    model = nn.ModuleDict({
        "student": nn.Sequential(*(nn.Linear(2, 2) for _ in range(count))),
        "teacher": nn.Sequential(*(nn.Linear(2, 2) for _ in range(count))),
    })  # fmt: skip
    model["teacher"].requires_grad_(False)
    return model


def test_lines_of_single_parameters_become_one(lines):
    optimizer = dict(type="SGD", lr=0.1, weight_decay=0.01)
    options = dict(bias_lr_mult=2.0, bias_decay_mult=0.0)
    build_optim_wrapper(pair(40), dict(optimizer=optimizer, paramwise_cfg=options))
    assert said(lines) == []  # the flood may go on
    print_log("Checkpoints will be saved", logger="current")
    settings = "paramwise_cfg: lr=0.2 for 40 parameters, weight_decay=0.0 for 40 parameters"
    assert said(lines) == [
        (logging.INFO, settings),
        (logging.INFO, "Not trained (requires_grad=False): 80 parameters of teacher"),
        (logging.INFO, "Checkpoints will be saved"),
    ]
    print_log("Later", logger="current")
    assert len(lines) == 4  # it is told once


def test_many_values_are_counted(lines):
    for layer in range(12):
        print_log(f"paramwise_options -- layers.{layer}.weight:lr={0.5**layer}", logger="current")
    print_log("paramwise_options -- layers.0.bias:weight_decay=0.0", logger="current")
    print_log("Later", logger="current")
    expected = "paramwise_cfg: lr of 12 values for 12 parameters, weight_decay=0.0 for 1 parameters"
    assert said(lines)[0] == (logging.INFO, expected)


def test_parameters_that_are_shared_are_one_line(lines):
    shared = nn.Linear(2, 2)
    model = nn.ModuleList([shared, nn.ModuleList([shared]), nn.ModuleList([shared])])
    options = dict(bypass_duplicate=True, norm_decay_mult=0.0)
    optimizer = dict(type="SGD", lr=0.1, weight_decay=0.01)
    build_optim_wrapper(model, dict(optimizer=optimizer, paramwise_cfg=options))
    print_log("Later", logger="current")
    assert "parameters are listed twice" in said(lines)[0][1]
    assert len(lines) == 2


def test_no_boxes_at_all_is_explained_not_called_an_error(lines):
    text = "The testing results of the whole dataset is empty."
    MMLogger.get_current_instance().error(text)
    ((level, line),) = said(lines)
    assert level == logging.WARNING and "Early in a training that is usual" in line
    assert "ssdet doctor CONFIG" in line and text not in line


def test_what_nobody_knows_is_left_alone(lines):
    MMLogger.get_current_instance().error("Out of %s", "memory")
    assert said(lines) == [(logging.ERROR, "Out of memory")]


def test_what_says_nothing_new_is_left_out(lines):
    print_log("Converting ground truth to coco format...", logger="current")
    empty = "Since `metrics` is an empty dict, the behavior to save the best checkpoint will be"
    print_log(f"{empty} skipped in this evaluation.", logger="current", level=logging.WARNING)
    prefix = "The prefix is not set in metric class IoUMetric."
    print_log(prefix, logger="current", level=logging.WARNING)
    print_log("Evaluating bbox...", logger="current")
    assert said(lines) == [(logging.INFO, "Evaluating bbox...")]


def test_weights_with_more_than_the_model_has_are_no_warning(lines):
    """The classifier of a backbone; a layer without weights stays one."""
    logger = MMLogger.get_current_instance()
    weights = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 3)).state_dict()
    load_state_dict(nn.Sequential(nn.Linear(2, 2)), weights, strict=False, logger=logger)
    told = (
        "The weights fill the model; 2 more values in the file have no place in it, such as "
        "1.weight. Usual for a classifier's last layer"
    )
    assert said(lines) == [(logging.INFO, told)]
    other = {"0.weight": weights["0.weight"], "x": weights["0.bias"]}
    load_state_dict(nn.Sequential(nn.Linear(2, 2)), other, strict=False, logger=logger)
    assert said(lines)[1][0] == logging.WARNING and "missing keys" in said(lines)[1][1]


def test_an_evaluation_of_boxes_prints_its_results_and_not_its_progress(lines, capsys):
    """pycocotools prints past any logger."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    box = dict(image_id=1, category_id=1, bbox=[2.0, 2.0, 8.0, 8.0])
    truth = COCO()
    truth.dataset = dict(
        images=[dict(id=1, width=20, height=20)],
        categories=[dict(id=1, name="a")],
        annotations=[dict(box, id=1, area=64.0, iscrowd=0)],
        info={},
    )
    truth.createIndex()
    evaluation = COCOeval(truth, truth.loadRes([dict(box, score=0.9)]), "bbox")
    evaluation.evaluate()
    evaluation.accumulate()
    assert capsys.readouterr().out == ""
    evaluation.summarize()
    table = capsys.readouterr().out.splitlines()
    assert len(table) == 12 and table[0].endswith("= 1.000")
