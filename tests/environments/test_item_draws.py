"""Items drawn by any law: topics one by one, and what depends on the topic."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rehearse.chance import Chance
from rehearse.environments.items import Attribute, Catalogue, make_catalogue
from rehearse.errors import ScenarioError
from rehearse.scenario.wrong import check

NAMES = tuple(f"item_{i}" for i in range(4000))


def catalogue(**attributes: dict[str, Any]) -> Catalogue:
    """Return 4,000 items with these attributes."""
    laws = {name: check(Attribute, written) for name, written in attributes.items()}
    return make_catalogue(NAMES, laws, Chance(5))


def test_an_item_has_one_topic_and_topics_their_shares() -> None:
    """A one-hot block has one 1 an item, as often as the shares say (5 standard errors)."""
    found = catalogue(topic={"one_hot": {"shares": [1, 3]}})
    assert found.attributes == ("topic_1", "topic_2")
    assert (found.values.sum(axis=1) == 1.0).all()
    assert found.values[:, 1].mean() == pytest.approx(0.75, abs=5 * (0.75 * 0.25 / 4000) ** 0.5)


def test_a_mixture_is_drawn_by_the_law_of_the_topic() -> None:
    """RecSim's interest exploration: quality is lognormal with the median of its topic."""
    found = catalogue(
        quality={
            "mixture": {"of": "topic", "laws": [{"lognormal": {"mean": m, "sd": 0.1}} for m in (0.8, 0.2)]}
        },
        topic={"one_hot": {"shares": [0.2, 0.8]}},
    )
    quality, topic = found.values[:, 0], found.values[:, 2].astype(int)
    for place, median in enumerate((0.8, 0.2)):
        logs = np.log(quality[topic == place])
        assert logs.mean() == pytest.approx(median, abs=0.02)
        assert logs.std() == pytest.approx(0.1, abs=0.01)


def test_any_law_draws_an_attribute_or_a_block() -> None:
    """A uniform attribute lies within its bounds; a block of beta ones has independent columns."""
    found = catalogue(clickbait={"drawn": {"uniform": {"low": 0.0, "high": 1.0}}})
    assert np.quantile(found.values, [0.25, 0.5, 0.75]) == pytest.approx([0.25, 0.5, 0.75], abs=0.04)
    block = catalogue(share={"drawn": {"beta": {"a": 2, "b": 2}}, "dims": 3})
    assert block.attributes == ("share_1", "share_2", "share_3")
    assert np.corrcoef(block.values.T)[0, 1] == pytest.approx(0.0, abs=0.08)


def test_more_items_change_nothing_about_the_others() -> None:
    """An item is drawn by its number: a longer catalogue begins with the shorter one."""
    laws = {"topic": check(Attribute, {"one_hot": {"shares": [1, 1, 1]}})}
    shorter = make_catalogue(NAMES[:10], laws, Chance(5))
    assert np.array_equal(shorter.values, make_catalogue(NAMES, laws, Chance(5)).values[:10])


@pytest.mark.parametrize(
    ("attributes", "says"),
    [
        ({"q": {"mixture": {"of": "topic", "laws": [1.0, 2.0]}}}, "no one_hot attribute"),
        (
            {"topic": {"one_hot": {"shares": [1, 1, 1]}}, "q": {"mixture": {"of": "topic", "laws": [1, 2]}}},
            "2 laws for the 3 places",
        ),
        ({"q": {"drawn": {"column": "age"}}}, "cannot be a column"),
        ({"q": {"value": 1.0, "dims": 2}}, "dims goes with"),
        ({"q": {"one_hot": {"shares": [0, 0]}}}, "at least one share"),
    ],
)
def test_items_that_cannot_be_drawn_are_refused(attributes: dict[str, Any], says: str) -> None:
    """The message says what is wrong."""
    with pytest.raises(ScenarioError, match=says):
        catalogue(**attributes)
