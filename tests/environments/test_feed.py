"""The feed: a synthetic catalogue that the seed decides, or items and people from real ratings."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rehearse.chance import Chance
from rehearse.columns import Columns
from rehearse.contract import Turn
from rehearse.environments import ratings
from rehearse.environments.recommend import Recommend, build
from rehearse.errors import DataError, ScenarioError
from rehearse.scenario.load import load
from rehearse.tables import read_table

MOVIELENS = Path(__file__).parents[3] / "shared" / "data" / "ml-latest-small_ratings.csv"
needs_movielens = pytest.mark.skipif(not MOVIELENS.is_file(), reason=f"{MOVIELENS} is not there")
RATED: dict[str, Any] = {
    "items": {"count": 30},
    "attributes": {"quality": {"value": 0.0}},
    "ratings": {"dims": 2, "min_ratings": 5},
}


def feed(seed: int = 7, **changes: Any) -> Recommend:
    """Return the world of the scenario `feed`."""
    return build(load("feed").world.settings | changes, data=None, drift=(), chance=Chance(seed))


def catalogue(world: Recommend) -> np.ndarray:
    """Return the attributes of all items."""
    rows = np.zeros(1, dtype=np.int64)
    turn = Turn(rows, rows.astype(np.int32), rows, tick=0, turn=0, chance=Chance(0))
    people = Columns({"taste": np.zeros((1, len(world.attributes)), dtype=np.float32)})
    return np.asarray(world.offer(turn, people).attributes)


def write_ratings(path: Path, *, people: int = 40, items: int = 30, seed: int = 0) -> Path:
    """Write ratings of two kinds of people: the even like the even items, the odd the odd ones."""
    random = np.random.default_rng(seed)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["userId", "movieId", "rating", "timestamp"])
        for person in range(people):
            for item in random.choice(items, size=items // 2, replace=False):
                stars = 4.0 if person % 2 == item % 2 else 2.0
                writer.writerow([person + 1, 100 + int(item), stars + random.choice([-0.5, 0.0, 0.5]), 0])
    return path


def test_the_catalogue_has_a_thousand_items() -> None:
    """1,000 named items with 16 dimensions and a quality, spread as the scenario says (5 %)."""
    world = feed()
    values = catalogue(world)
    assert values.shape == (1000, 17)
    assert (world.items[0], world.items[-1]) == ("item_1", "item_1000")
    assert world.attributes[-1] == "quality"
    assert values[:, :16].std() == pytest.approx(0.25, rel=0.05)
    assert values[:, 16].std() == pytest.approx(0.3, rel=0.1)


def test_the_seed_decides_the_catalogue() -> None:
    """The same seed gives the same items, another seed others."""
    assert np.array_equal(catalogue(feed(1)), catalogue(feed(1)))
    assert not np.array_equal(catalogue(feed(1)), catalogue(feed(2)))


def test_more_items_leave_the_first_ones_as_they_were() -> None:
    """A catalogue of 1,100 begins with the same 1,000 items."""
    assert np.array_equal(catalogue(feed(items={"count": 1100}))[:1000], catalogue(feed()))


@pytest.mark.parametrize(
    "name", ["feed", "feed-drift", "feed-ratings", "travel", "travel-fog", "travel-storm"]
)
def test_every_scenario_of_the_catalogue_can_be_read(name: str) -> None:
    """It is valid and says what it assumes, what it cannot show, and why each threshold is what it is."""
    scenario = load(name)
    assert scenario.name == name
    assert min(len(scenario.assumptions), len(scenario.limitations)) >= 3
    assert scenario.criteria
    assert all(criterion.why for criterion in scenario.criteria)


def test_ratings_make_items_and_people(tmp_path: Path) -> None:
    """Items and people come from the file, with a taste column for every attribute."""
    world = build(RATED, data=write_ratings(tmp_path / "r.csv"), drift=(), chance=Chance(1))
    assert world.attributes == ("vector_1", "vector_2", "quality")
    assert len(world.items) == 30
    assert world.items[0] == "item_100"
    table = world.table()
    assert table is not None
    assert table.length == 40
    assert {f"taste_{name}" for name in world.attributes} <= set(table)
    assert (table["taste_quality"] == 1.0).all()


def test_factors_tell_kinds_of_people_apart(tmp_path: Path) -> None:
    """People who rated even items high find even items truly better, and the odd ones the odd items."""
    loose = ratings.Ratings(dims=2, min_ratings=5, ridge=0.1)
    catalogue, table = ratings.read(write_ratings(tmp_path / "r.csv"), loose, count=30)
    tastes = np.column_stack([table.numbers(f"taste_{name}") for name in catalogue.attributes])
    utility = tastes @ catalogue.values.T
    even_items = utility[:, ::2].mean(axis=1) - utility[:, 1::2].mean(axis=1)
    even_people = np.asarray(table["person"]) % 2 == 1  # ids are counted from 1
    assert (even_items[even_people] > 1.0).all()
    assert (even_items[~even_people] < -1.0).all()


def test_the_items_rated_most_are_kept(tmp_path: Path) -> None:
    """With room for fewer items those with the most ratings stay, in the order of their ids."""
    path = write_ratings(tmp_path / "r.csv")
    kept, _ = ratings.read(path, ratings.Ratings(dims=2, min_ratings=5), count=10)
    counted = np.bincount(read_table(path)["movieId"].astype(int))[100:]
    most = np.sort(np.argsort(-counted, kind="stable")[:10]) + 100
    assert kept.items == tuple(f"item_{i}" for i in most)


def test_a_star_is_worth_its_strength(tmp_path: Path) -> None:
    """Twice the strength makes every taste twice as strong (to rounding) and leaves the items alone."""
    path = write_ratings(tmp_path / "r.csv")
    items, people = ratings.read(path, ratings.Ratings(dims=2, min_ratings=5), count=30)
    same, stronger = ratings.read(path, ratings.Ratings(dims=2, min_ratings=5, strength=2.0), count=30)
    assert np.array_equal(items.values, same.values)
    for name in items.attributes:
        doubled = 2.0 * people.numbers(f"taste_{name}")
        assert stronger.numbers(f"taste_{name}") == pytest.approx(doubled, abs=2 * ratings.STEP)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("userId,movie,rating\n1,2,3\n", "no column movieId"),
        ("userId,movieId,rating\n1,2,good\n", "column rating"),
        ("userId,movieId,rating\n1,2,3\n1,3,\n", "column rating"),
        ("userId,movieId,rating\n1,2,inf\n1,3,2\n", "column rating"),
        ("userId,movieId,rating\n1,2,3\n2,2,4\n", "too few"),
    ],
)
def test_a_file_that_holds_no_ratings_is_refused(tmp_path: Path, text: str, says: str) -> None:
    """Missing columns, words for numbers, gaps and too little data each end in a DataError that says so."""
    path = tmp_path / "r.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=says) as caught:
        build(RATED, data=path, drift=(), chance=Chance(1))
    assert str(path) in caught.value.problem
    assert caught.value.remedy


def test_data_for_a_world_that_reads_none_is_refused(tmp_path: Path) -> None:
    """A data file is never silently left aside."""
    without = {key: value for key, value in RATED.items() if key != "ratings"}
    with pytest.raises(ScenarioError, match="reads none"):
        build(without, data=tmp_path / "r.csv", drift=(), chance=Chance(1))


@needs_movielens
def test_factors_foretell_ratings_better_than_means(tmp_path: Path) -> None:
    """On a tenth of MovieLens held out, tastes and vectors lower the error of quality and leniency."""
    table = read_table(MOVIELENS)
    held = np.random.default_rng(0).random(table.length) < 0.1
    train = tmp_path / "train.csv"
    lines = MOVIELENS.read_text(encoding="utf-8").splitlines()
    kept = [line for line, out in zip(lines[1:], held, strict=True) if not out]
    train.write_text("\n".join([lines[0], *kept]) + "\n", encoding="utf-8")
    items, people = ratings.read(train, ratings.Ratings(), count=1000)
    place = {int(name.removeprefix("item_")): i for i, name in enumerate(items.items)}
    row = {int(person): i for i, person in enumerate(people["person"])}
    tastes = np.column_stack([people.numbers(f"taste_{name}") for name in items.attributes])
    found = [
        (row[int(u)], place[int(i)], r)
        for u, i, r in zip(table["userId"][held], table["movieId"][held], table["rating"][held], strict=True)
        if int(u) in row and int(i) in place
    ]
    who, what, stars = (np.array(column) for column in zip(*found, strict=True))
    plain = stars - items.values[what, -1]
    factored = plain - np.einsum("nd,nd->n", tastes[who, :-1], items.values[what, :-1])
    for person in np.unique(who):  # each person's own leniency is fitted alike under both
        own = who == person
        plain[own] -= plain[own].mean()
        factored[own] -= factored[own].mean()
    assert np.sqrt((factored**2).mean()) < 0.99 * np.sqrt((plain**2).mean())


@needs_movielens
def test_real_items_fit_the_scenario() -> None:
    """`feed` takes MovieLens as data: 1,000 real items with the attributes its people have tastes for."""
    scenario = load("feed")
    world = build(scenario.world.settings, data=MOVIELENS, drift=(), chance=Chance(1))
    assert world.attributes == feed().attributes
    assert len(world.items) == 1000
    assert "item_318" in world.items
