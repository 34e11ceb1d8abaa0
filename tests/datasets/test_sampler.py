"""LabeledUnlabeledSampler: a function of (seed, iteration) that never hangs and never starves."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mmengine.runner.loops import _InfiniteDataloaderIterator
from torch.utils.data import DataLoader

from ssdet.datasets import LabeledUnlabeledSampler


class Source:
    """Numbers 0..n-1 with image sizes."""

    def __init__(self, count, wide=None):
        self.wide = [True] * count if wide is None else wide

    def __len__(self):
        return len(self.wide)

    def image_size(self, index):
        return (50, 100) if self.wide[index] else (100, 50)


def concat(*sources):
    return SimpleNamespace(datasets=list(sources))


def make(sizes, batch, *, rank=0, world=1, **options):
    dataset = concat(*(Source(s) if isinstance(s, int) else s for s in sizes))
    sampler = LabeledUnlabeledSampler(dataset, batch, **{"seed": 3, **options})
    sampler.rank, sampler.world_size = rank, world
    return sampler


def take(sampler, count):
    stream = iter(sampler)
    return [next(stream) for _ in range(count)]


def facts(indices):
    return [(int(i), i.seed) for i in indices]


shapes = st.lists(st.tuples(st.integers(1, 23), st.integers(1, 5)), min_size=1, max_size=3)


@settings(max_examples=30)
@given(shapes, st.integers(0, 2**40), st.integers(0, 50))
def test_every_batch_holds_the_asked_number_of_each_source(shapes, seed, iteration):
    sizes, batch = zip(*shapes, strict=True)
    sampler = make(sizes, batch, seed=seed)
    indices = np.array(sampler.batch_at(iteration))
    edges = np.cumsum([0, *sizes])
    source = np.searchsorted(edges, indices, side="right") - 1
    assert source.tolist() == [s for s, share in enumerate(batch) for _ in range(share)]


@settings(max_examples=30)
@given(shapes, st.integers(0, 2**40), st.integers(2, 4), st.integers(0, 40))
def test_ranks_share_the_batch_of_one_process(shapes, seed, world, iteration):
    sizes, batch = zip(*shapes, strict=True)
    whole = make(sizes, [share * world for share in batch], seed=seed)
    parts = [make(sizes, batch, seed=seed, rank=r, world=world) for r in range(world)]
    together = [fact for part in parts for fact in facts(part.batch_at(iteration))]
    assert sorted(together) == sorted(facts(whole.batch_at(iteration)))
    assert len({seed for _, seed in together}) == len(together)


@settings(max_examples=25)
@given(shapes, st.integers(0, 200), st.booleans())
def test_skip_lands_where_an_uninterrupted_run_would_be(shapes, skipped, grouped):
    sizes, batch = zip(*shapes, strict=True)
    wide = [Source(n, [k % 3 > 0 for k in range(n)]) for n in sizes]
    straight = take(make(wide, batch, group_by_aspect=grouped), skipped + 20)
    resumed = make(wide, batch, group_by_aspect=grouped)
    resumed.skip(skipped)
    assert facts(take(resumed, 20)) == facts(straight[skipped:])


@settings(max_examples=25)
@given(st.integers(1, 40), st.integers(1, 7), st.integers(0, 2**63))
def test_a_pass_shows_every_sample_once_and_passes_differ(count, share, seed):
    sampler = make([count], [share], seed=seed)
    drawn = [int(i) for i in take(sampler, 3 * count)]
    passes = [drawn[k * count : (k + 1) * count] for k in range(3)]
    assert all(sorted(one) == list(range(count)) for one in passes)
    if count >= 20:
        assert passes[0] != passes[1] != passes[2]


@settings(max_examples=25)
@given(
    st.lists(st.lists(st.booleans(), min_size=1, max_size=12), min_size=1, max_size=3),
    st.integers(0, 2**32),
)
def test_grouping_never_starves_and_keeps_batches_uniform(kinds, seed):
    sources = [Source(len(k), k) for k in kinds]
    sampler = make(sources, [2] * len(kinds), group_by_aspect=True, seed=seed)
    flat = [kind for source in kinds for kind in source]
    for iteration in range(60):
        batch = sampler.batch_at(iteration)
        seen = [{flat[i] for i in batch[2 * s : 2 * s + 2]} for s in range(len(kinds))]
        complete = [s for s, source in enumerate(kinds) if len(set(source)) == 2]
        kinds_of_complete = {kind for s in complete for kind in seen[s]}
        assert len(kinds_of_complete) <= 1
    if any(len(set(source)) == 2 for source in kinds):
        turns = [sampler._groups.at(t)[0] for t in range(200)]
        assert set(turns) == {0, 1}


def test_group_turns_follow_the_mean_share_and_are_counted_right():
    sources = Source(4, [True, True, True, False]), Source(2, [True, False])
    sampler = make(sources, (1, 1), group_by_aspect=True)
    turns = [sampler._groups.at(t) for t in range(80)]
    assert sum(group for group, _ in turns) == 50  # (3/4 + 1/2) / 2 = 5/8 of 80
    for group in (0, 1):
        assert [n for g, n in turns if g == group] == list(range(sum(g == group for g, _ in turns)))


def test_other_seeds_give_other_batches_and_sources_are_independent():
    one, other = make([50, 50], [5, 5]), make([50, 50], [5, 5], seed=4)
    assert facts(take(one, 10)) != facts(take(other, 10))
    drawn = [int(i) for i in take(one, 10)]
    assert drawn[:5] != [i - 50 for i in drawn[5:]]


def test_known_stream_stays_the_same():
    """A resumed run on another machine continues the same stream only if this never changes."""
    sampler = make([5, 7], [1, 2], seed=0)
    assert [int(i) for i in take(sampler, 12)] == [4, 10, 6, 0, 9, 11, 1, 5, 7, 3, 8, 6]
    assert sampler.batch_at(0)[0].seed == 8668861027912758289


def test_epochs_continue_the_stream_and_end():
    endless = facts(take(make([4, 9], [1, 2]), 18))
    sampler = make([4, 9], [1, 2], epoch_length=2)
    assert len(DataLoader(Source(13), 3, sampler=sampler)) == 2
    parts = []
    for epoch in range(3):
        sampler.set_epoch(epoch)
        parts += facts(sampler)
    assert parts == endless


def test_finite_epochs_resumed_in_an_iteration_based_loop_continue_the_stream():
    endless = facts(take(make([4, 9], [1, 2]), 30))
    sampler = make([4, 9], [1, 2], epoch_length=3)
    sampler.set_epoch(0)
    sampler.skip(4 * 3)  # 4 iterations done: in the middle of the second epoch
    assert facts(sampler) == endless[12:18]
    sampler.set_epoch(1)
    assert facts(sampler) == endless[18:27]


def test_mmengine_skips_without_loading_a_sample():
    class Loud(Source):
        loaded = 0

        def __getitem__(self, index):
            Loud.loaded += 1
            return int(index)

    straight = take(make([100], [4]), 4 * 3003)
    source = Loud(100)
    sampler = LabeledUnlabeledSampler(source, (4,), seed=3)
    iterator = _InfiniteDataloaderIterator(DataLoader(source, 4, sampler=sampler))
    iterator.skip_iter(3000)
    assert Loud.loaded == 0
    assert next(iterator).tolist() == [int(i) for i in straight[12000:12004]]


def test_length_is_a_pass_over_the_unlabeled_images():
    sampler = make([4, 10], [1, 3])
    assert sampler.pass_length == 4
    assert len(DataLoader(Source(14), 4, sampler=sampler)) == 4


def test_ratio_is_another_way_to_say_the_batch():
    assert make([9, 9], None, batch_size=10, source_ratio=(1, 4)).batch == (2, 8)


@pytest.mark.parametrize(
    ("sizes", "options", "words"),
    [
        ((5, 0), {"batch": (1, 1)}, ["source 1", "Source with 0 samples", "is empty"]),
        ((5, 5), {"batch": (2, 0)}, ["source 1", "share 0", "(2, 0)"]),
        ((5, 5), {"batch": (2,)}, ["for 1 sources", "has 2"]),
        ((5, 5), {"batch_size": 4, "source_ratio": (4, 1)}, ["batch_size=4", "[5]"]),
        ((5, 5), {"batch_size": 7, "source_ratio": (1, 2)}, ["batch_size=7", "[6, 9]"]),
        ((5, 5), {"batch_size": 4, "source_ratio": (1, 0)}, ["(1, 0)"]),
        ((5, 5), {}, ["batch_size=None"]),
        ((5, 5), {"batch": (1, 1), "batch_size": 4}, ["batch=(1, 1)", "batch_size=4"]),
        ((5, 5), {"batch": (1, 1), "epoch_length": 0}, ["epoch_length=0"]),
    ],
)
def test_impossible_demands_are_refused_with_numbers(sizes, options, words):
    batch = options.pop("batch", None)
    with pytest.raises(ValueError) as error:
        make(sizes, batch, **options)
    assert all(word in str(error.value) for word in words), str(error.value)


def test_grouping_without_sizes_is_refused_by_name():
    class Sizeless(Source):
        image_size = property()

        def get_data_info(self, index):
            return {"img_path": "a.jpg"}

    with pytest.raises(ValueError, match=r"source 0 .Sizeless.*height"):
        LabeledUnlabeledSampler(Sizeless(3), (1,), group_by_aspect=True, seed=0)


class Frames:
    """Frames of videos: how many of each."""

    def __init__(self, **counts):
        self.paths = [f"data/{name}/{n:03d}.png" for name, c in counts.items() for n in range(c)]

    def __len__(self):
        return len(self.paths)

    def get_data_info(self, index):
        return {"img_path": self.paths[index]}


def videos_of(sampler, iteration, sources):
    """The videos in a batch, for each source."""
    paths = [path for source in sources for path in source.paths]
    found = [paths[index].split("/")[1] for index in sampler.batch_at(iteration)]
    return found[: sampler.batch[0]], found[sampler.batch[0] :]


@pytest.mark.parametrize("rule", ["folder", "data/(.*?)/"])
def test_a_batch_is_of_one_video_and_each_has_its_turn(rule):
    sources = [Frames(a=2, b=2, c=2), Frames(a=30, b=5, c=11)]
    sampler = make(sources, (1, 3), group_by=rule)
    for turn in range(6):
        batches = [videos_of(sampler, 3 * turn + n, sources) for n in range(3)]
        assert sorted(labeled[0] for labeled, _ in batches) == ["a", "b", "c"]
        assert all({*labeled} == {*others} for labeled, others in batches)
    # All frames of a video are seen before one is seen again.
    seen = [i for t in range(60) for i in sampler.batch_at(t)[1:]]
    counts = np.bincount(np.array(seen) - 6, minlength=46)
    assert counts[30:35].tolist() == [12] * 5 and counts[:30].tolist() == [2] * 30


def test_a_source_without_the_video_gives_any_of_its_images():
    sources = [Frames(a=4), Frames(a=4, b=4, c=4)]
    sampler = make(sources, (1, 1), group_by="folder")
    labeled = [sampler.batch_at(t)[0] for t in range(30)]
    assert {videos_of(sampler, t, sources)[1][0] for t in range(3)} == {"a", "b", "c"}
    assert set(map(int, labeled)) == {0, 1, 2, 3}


def test_batches_of_videos_go_on_after_a_skip_and_differ_by_seed():
    sources = [Frames(a=2, b=3), Frames(a=9, b=7)]
    straight = take(make(sources, (1, 2), group_by="folder"), 40)
    resumed = make(sources, (1, 2), group_by="folder")
    resumed.skip(17)
    assert facts(take(resumed, 23)) == facts(straight[17:])
    orders = {
        tuple(videos_of(make(sources, (1, 2), group_by="folder", seed=s), t, sources)[0][0]
              for t in range(8))
        for s in range(5)
    }  # fmt: skip
    assert len(orders) > 1


def test_two_ways_to_group_are_refused():
    with pytest.raises(ValueError, match="group_by_aspect=True and group_by='folder'"):
        make([Frames(a=2)], (1,), group_by="folder", group_by_aspect=True)
