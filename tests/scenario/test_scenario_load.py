"""Scenarios from names and files: layers, edits, named files, and messages for what is wrong."""

from __future__ import annotations

import os

import pytest

from rehearse.errors import NotFoundError, ScenarioError
from rehearse.scenario import catalogue, load
from rehearse.scenario.edit import changed

BASE = """
name: base
world: {name: recommend-v1, settings: {items: [a, b]}}
policy: {name: epsilon-v1, settings: {epsilon: 0.1}}
people:
  count: 100
  traits:
    patience: {uniform: {low: 2, high: 5}}
drift:
  - {tick: 3, what: items.a.cost}
assumptions: [they are simple]
limitations: [it is a test]
"""


@pytest.fixture
def base(tmp_path):
    """Return the path of a small scenario."""
    path = tmp_path / "base.yaml"
    path.write_text(BASE)
    return path


def above(base, text):
    """Return the path of a scenario that extends the base one."""
    path = base.parent / "above.yaml"
    path.write_text(f"extends: base.yaml\n{text}")
    return path


def message(path, **given):
    """Return what loading a scenario complains about."""
    with pytest.raises(ScenarioError) as caught:
        load(path, **given)
    return str(caught.value)


def test_every_scenario_of_the_catalogue_loads():
    """The catalogue is not empty, each entry says what it is, and is found by name and version."""
    listed = catalogue()
    assert {"travel", "feed"} <= {entry.name for entry in listed}
    for entry in listed:
        scenario = load(f"{entry.name}@{entry.version}")
        assert (scenario.name, scenario.version, scenario.title) == (entry.name, entry.version, entry.title)
        assert entry.title
        assert entry.file.stem.partition("@")[0] == entry.name


def test_a_misspelt_name_is_answered_with_the_nearest(base):
    """An unknown name, version or file names what there is."""
    with pytest.raises(NotFoundError, match="Did you mean 'travel'"):
        load("travle")
    with pytest.raises(NotFoundError, match=r"There is travel@1"):
        load("travel@99")
    with pytest.raises(NotFoundError, match=r"Did you mean 'base\.yaml'"):
        load(base.parent / "bose.yaml")
    with pytest.raises(NotFoundError, match="is a folder"):
        load(base.parent)


def test_a_layer_changes_what_it_names(base):
    """Maps are merged, lists replaced, and `key+` adds to a list."""
    path = above(base, "name: above\npeople: {count: 7}\ndrift+:\n  - {tick: 9, what: items.b.cost}\n")
    found = load(path)
    assert (found.name, found.people.count, found.extends) == ("above", 7, None)
    assert [d.tick for d in found.drift] == [3, 9]
    assert found.people.traits["patience"].uniform is not None
    replaced = load(above(base, "drift: [{tick: 9, what: x}]"))
    assert [d.tick for d in replaced.drift] == [9]


def test_a_distribution_is_replaced_as_a_whole(base):
    """A new law does not meet the old one."""
    found = load(above(base, "people: {traits: {patience: {normal: {mean: 3}}}}"))
    assert found.people.traits["patience"].uniform is None


def test_a_law_of_some_values_may_be_written_in_a_file(base):
    """Lists of values and shares in YAML become those of a discrete law."""
    layer = "people: {traits: {kind: {discrete: {values: [0, 1], shares: [0.3, 0.7]}}}}"
    law = load(above(base, layer)).people.traits["kind"].discrete
    assert (law.values, law.shares) == ((0.0, 1.0), (0.3, 0.7))


def test_the_settings_of_another_policy_are_not_inherited(base):
    """Changing the name drops the old one's settings; keeping it merges them."""
    assert load(above(base, "policy: {name: random-v1}")).policy.settings == {}
    assert load(above(base, "policy: {settings: {k: 2}}")).policy.settings == {"epsilon": 0.1, "k": 2}


def test_layers_in_a_circle_are_refused(base):
    """The message shows the circle."""
    (base.parent / "one.yaml").write_text("extends: two.yaml")
    (base.parent / "two.yaml").write_text("extends: one.yaml")
    assert "one.yaml → two.yaml → one.yaml" in message(base.parent / "one.yaml")


def test_a_missing_base_is_told_where_it_is_named(base):
    """The place is that of `extends`, in the file that says it."""
    path = base.parent / "x.yaml"
    path.write_text("name: x\nextends: travle\n")
    said = message(path)
    assert said.startswith(f"{path}:2:1: extends: there is no scenario 'travle'")
    assert "Did you mean 'travel'" in said


def test_a_wrong_value_of_a_base_is_told_where_it_stands(base):
    """A layer that is right does not take the blame for one that is not."""
    base.write_text(BASE.replace("count: 100", "count: many"))
    assert message(above(base, "name: above")).startswith(f"{base}:6:3: people.count must be a whole number")


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (
            "count: 100",
            "cuont: 100",
            ":6:3: people.cuont is not a known key, found 100. Did you mean 'count'",
        ),
        ("count: 100", "count: -3", ":6:3: people.count must be at least 1, found -3."),
        ("count: 100", "count: 2.5", "must be a whole number, found 2.5"),
        ("count: 100", "count: '100'", 'must be a whole number, found "100"'),
        ("count: 100", "count: true", "must be a whole number, found true"),
        ("count: 100", "count: 1e12", "must be at most 100,000,000"),
        ("low: 2", "low: 20", "people.traits.patience.uniform does not make sense: low 20 lies above high 5"),
        ("uniform:", "unifrom:", "Did you mean 'uniform'?"),
        (
            "tick: 3",
            "tick: 3, until: 3",
            "drift.0 does not make sense: it ends (until 3) before it has begun",
        ),
        (
            "limitations: [it is a test]",
            "",
            "limitations is missing. Add it; it means: What this scenario cannot",
        ),
        ("assumptions: [they are simple]", "assumptions: []", "assumptions needs at least 1 entry"),
        ("name: base", "name: 9lives", "must begin with a letter"),
        ("name: base", "name: base\nreplicas: 100000\npeople.count: 1", "is not a known key"),
        ("assumptions: [they are simple]", "assumptions: words", "assumptions must be a list"),
    ],
)
def test_what_is_wrong_is_told_with_place_path_value_and_remedy(base, before, after, said):
    """One message names the file and line, the dotted path, the value seen and what to do."""
    assert before in BASE
    base.write_text(BASE.replace(before, after))
    text = message(base)
    assert text.startswith(str(base))
    assert said in text


def test_several_mistakes_give_one_message(base):
    """The first is told in full, the others by their path."""
    base.write_text(BASE.replace("count: 100", "count: -1\n  stakc: 2").replace("tick: 3", "tick: -3"))
    text = message(base)
    assert "people.count must be at least 1" in text
    assert "(and 2 more: drift.0.tick, people.stakc)" in text


def test_more_people_than_fit_a_machine_are_refused(base):
    """The product counts, not each number alone."""
    text = message(base, sets=["people.count=1e7", "replicas=1000"])
    assert "people.count × replicas = 10,000,000 × 1,000" in text


def test_a_list_at_the_top_is_refused(base):
    """A scenario is a map."""
    base.write_text("- name: x\n")
    assert message(base).startswith(f"{base}:1:1: a scenario is a map of keys and values, found a list")


@pytest.mark.parametrize(
    ("edit", "value"),
    [
        ("people.count=5", lambda s: s.people.count == 5),
        ("people.memory.size=3", lambda s: s.people.memory.size == 3),
        ("people.goals.0.rate=.25", lambda s: s.people.goals[0].rate == 0.25),
        ("drift.0.times=2", lambda s: s.drift[0].times == 2.0),
        ("drift+={tick: 8, what: x}", lambda s: [d.tick for d in s.drift] == [3, 8]),
        ("world.settings.items=[x, y, z]", lambda s: s.world.settings["items"] == ["x", "y", "z"]),
        ("people.traits.patience=3", lambda s: s.people.traits["patience"].constant == 3.0),
        ("people.traits.new.normal.mean=2", lambda s: s.people.traits["new"].normal.mean == 2.0),
        ("title=a = b", lambda s: s.title == "a = b"),
        ("time.budget_s=", lambda s: s.time.budget_s is None),
        ("drift=[]", lambda s: s.drift == ()),
    ],
)
def test_edits_reach_everything(base, edit, value):
    """A dotted path sets one value, through maps and lists, given or not; the value is YAML."""
    assert value(load(base, sets=[edit]))


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        ("people.cuont=5", "there is no key 'cuont' in people. Did you mean 'count'"),
        ("peple.count=5", "there is no key 'peple' in a scenario. Did you mean 'people'?"),
        ("people.count.x=5", "people.count is a single value (100) and has no keys"),
        (
            "drift.4.tick=1",
            "drift is a list with 1 entry; there is no '4' in it. Give a position from 0 to 0",
        ),
        ("drift.first.tick=1", "there is no 'first' in it"),
        ("criteria.0.at_least=1", "criteria is a list with 0 entries"),
        ("people.count", "not of the form key=value"),
        ("=5", "not of the form key=value"),
        ("people.count=[", "expected the node content"),
        ("people.traits.patience.normal.mean=3", "give exactly one law"),
        ("extends=travel", "cannot be changed from outside"),
    ],
)
def test_wrong_edits_are_answered(base, edit, said):
    """The message begins with the edit itself."""
    text = message(base, sets=[edit])
    assert text.startswith(f"--set {edit}:")
    assert said in text


def test_options_are_applied_last(base):
    """They win over edits, and wrong ones are told by their own name."""
    assert load(base, sets=["people.count=5"], users=6, ticks=2, seed=3, replicas=4).people.count == 6
    assert message(base, users=0).startswith("--users 0: people.count must be at least 1, found 0.")
    assert message(base, seed="seven").startswith("--seed seven: seed must be a whole number")


def test_a_checked_scenario_can_be_changed(base):
    """In Python the same edits are made with values, and checked as well."""
    scenario = load(base)
    assert changed(scenario, {"people.count": 3, "drift": []}) == load(
        base, sets=["people.count=3", "drift=[]"]
    )
    assert changed(scenario, {}) == scenario
    with pytest.raises(ScenarioError, match="Did you mean 'count'"):
        changed(scenario, {"people.coutn": 3})


def with_table(base, ref):
    """Let the scenario draw its people from a table."""
    base.write_text(BASE.replace("  count: 100", f"  count: 100\n  source: {{table: {ref}}}"))
    return base


def test_a_named_file_is_found_beside_the_scenario(base, monkeypatch):
    """It is counted from the file that names it, wherever the program runs and whoever extends it."""
    table = base.parent / "people.csv"
    table.write_text("income\n1\n")
    with_table(base, "people.csv")
    deeper = base.parent / "deeper"
    deeper.mkdir()
    (deeper / "above.yaml").write_text("extends: ../base.yaml\nname: above\n")
    monkeypatch.chdir("/")
    assert load(base).people.source.table == str(table)
    assert load(deeper / "above.yaml").people.source.table == str(table)


@pytest.mark.parametrize("ref", ["../secret.csv", "link.csv", "linked/secret.csv", "{outside}/secret.csv"])
def test_no_file_leads_out_of_the_folder(tmp_path, base, ref):
    """Neither by `..`, nor by a link to a file or folder, nor by an absolute path."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.csv").write_text("x\n1\n")
    inner = tmp_path / "inner"
    inner.mkdir()
    (inner / "link.csv").symlink_to(outside / "secret.csv")
    (inner / "linked").symlink_to(outside)
    (tmp_path / "secret.csv").write_text("x\n1\n")
    path = inner / "base.yaml"
    path.write_text(BASE)
    with_table(path, ref.format(outside=outside))
    assert "out of the scenario's folder. Put the file beside the scenario" in message(path)


def test_who_types_may_name_any_file(base, tmp_path, monkeypatch):
    """On the command line a path is counted from where one is."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "people.csv").write_text("x\n1\n")
    monkeypatch.chdir(elsewhere)
    assert load(base, sets=["people.source.table=people.csv"]).people.source.table == str(
        elsewhere / "people.csv"
    )
    assert "there is no file" in message(base, sets=["people.source.table=nobody.csv"])


def test_a_models_file_is_found_beside_the_scenario(base):
    """What follows the file's name, a function or settings, is kept."""
    (base.parent / "model.py").write_text("def decide(person): ...")
    base.write_text(BASE.replace("name: epsilon-v1", "name: model.py:decide?a=1"))
    assert load(base).policy.name == f"{base.parent / 'model.py'}:decide?a=1"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file_is_told(base):
    """A file without permission is the user's business, not a crash."""
    base.chmod(0)
    assert "could not be read" in message(base)


def test_a_scenario_can_be_given_as_a_dict(tmp_path):
    """What a file holds can be given in Python: it extends, is checked and told of by path, as a file is."""
    given = {"extends": "travel", "name": "mine", "people": {"behaviour": {"outside": 0.5}}}
    found = load(given)
    assert found.name == "mine"
    assert found.people.behaviour.outside == 0.5
    assert found.people.goals == load("travel").people.goals
    (tmp_path / "mine.yaml").write_text(
        "extends: travel\nname: mine\npeople: {behaviour: {outside: 0.5}}\n", encoding="utf-8"
    )
    assert load(tmp_path / "mine.yaml") == found
    with pytest.raises(ScenarioError, match=r"people\.behaviour\.outsied"):
        load({"extends": "travel", "people": {"behaviour": {"outsied": 0.5}}})
