"""Configs that carry a paper's name have the paper's values, or say why not."""

import re
from pathlib import Path

import pytest

from .published import detection, segmentation
from .published.built import Built
from .published.page import REPOSITORIES, SECTIONS, UNPUBLISHED, page
from .published.table import SAME, wrong_rows

ROOT = Path(__file__).parents[2]
RECIPES = [recipe for recipes in SECTIONS.values() for recipe in recipes]
ROWS = [(recipe.config, row) for recipe in RECIPES for row in recipe.rows]


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.title)
def test_the_built_config_has_the_values_of_the_table(recipe):
    assert wrong_rows(recipe, Built(recipe.config, recipe.options)) == []


@pytest.mark.parametrize(
    "recipe", [recipes[0] for recipes in SECTIONS.values()], ids=lambda recipe: recipe.title
)
def test_a_config_that_is_edited_to_a_wrong_rate_is_found(recipe):
    edited = {**recipe.options, "optim_wrapper.optimizer.lr": 0.0123}
    (wrong,) = wrong_rows(recipe, Built(recipe.config, edited))
    assert wrong.startswith("learning rate") and "0.0123" in wrong


def test_every_difference_has_a_reason_and_only_a_difference_has():
    for config, row in ROWS:
        assert (row.ours is not SAME) == bool(row.why), f"{config}: {row.name}"
        assert row.ours is SAME or row.ours != row.official, f"{config}: {row.name}"


def test_every_source_is_a_file_of_a_known_repository_or_recalled():
    for config, row in ROWS:
        key, _, place = row.source.partition(":")
        assert row.recalled or (key in REPOSITORIES and place), f"{config}: {row.name}"
        exact = re.search(r"\w:\S", place)  # a line, a function or a heading of the file
        assert row.recalled or row.ours is not SAME or exact, f"{config}: {row.name}"


def test_no_two_repositories_have_one_key():
    """The later one would be named as the source of the rows of both."""
    parts = [detection.REPOSITORIES, *(part.REPOSITORIES for part in segmentation.PARTS)]
    keys = [key for part in parts for key in part]
    assert sorted(keys) == sorted(REPOSITORIES)


def test_no_two_rows_of_a_recipe_have_one_name():
    for recipe in RECIPES:
        names = [row.name for row in recipe.rows]
        assert sorted(set(names)) == sorted(names), recipe.config


def test_the_page_is_made_from_the_tables():
    written = (ROOT / "docs" / "reproduce.md").read_text(encoding="utf-8")
    assert written == page(), "run: python -m tests.configs.published.page docs/reproduce.md"


def test_configs_without_a_number_exist_and_are_in_no_recipe():
    for name in UNPUBLISHED:
        assert (ROOT / "configs" / name).is_file(), name
        assert name not in {recipe.config for recipe in RECIPES}, name


def test_every_full_size_config_of_a_detector_is_listed():
    """With its rows, or with the reason why there are none."""
    found = {
        str(path.relative_to(ROOT / "configs"))
        for path in (ROOT / "configs").glob("*/*.py")
        if re.search(r"_(coco(?!-seg)[-\w]*|voc|foggy)\.py$", path.name) and not path.name.startswith("_")
    }
    listed = {recipe.config for recipe in SECTIONS["Detection and instance segmentation"]}
    assert len(found) > 25
    assert found - listed - set(UNPUBLISHED) == set()


def test_every_full_size_config_of_a_segmentor_is_listed():
    found = {
        str(path.relative_to(ROOT / "configs"))
        for path in (ROOT / "configs").glob("*/*.py")
        if re.search(r"_(voc12|cityscapes|acdc|levir|ade20k|coco-seg)\.py$", path.name)
        and not path.name.startswith("_")
    }
    listed = {recipe.config for recipe in SECTIONS["Segmentation"]}
    assert len(found) > 35
    assert found - listed - set(UNPUBLISHED) == set()
