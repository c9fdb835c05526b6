"""Resolved scenarios: text that reads back equal, a digest of what is said, a schema for editors."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rehearse.errors import ScenarioError
from rehearse.scenario import Scenario, check, digest, from_yaml, json_schema, load, to_yaml
from rehearse.scenario.base import Strict

NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
WORDS = st.text(min_size=1, max_size=30).filter(lambda s: not any(0xD800 <= ord(c) <= 0xDFFF for c in s))
SETTINGS = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**62), 2**62) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=8,
)


def scenario(**changes):
    """Return a small scenario."""
    whole = {
        "name": "small",
        "world": {"name": "recommend-v1"},
        "policy": {"name": "random-v1"},
        "assumptions": ("one",),
        "limitations": ("two",),
    }
    return Scenario.model_validate(whole | changes)


@pytest.mark.parametrize("name", ["travel", "feed"])
def test_the_catalogue_reads_back_equal(name):
    """A resolved scenario is the scenario, with nothing left out and nothing to look up."""
    original = load(name)
    text = to_yaml(original)
    assert from_yaml(text) == original
    assert to_yaml(from_yaml(text)) == text
    assert "extends" not in text


@given(
    settings_=st.dictionaries(WORDS, SETTINGS, max_size=3),
    words=WORDS,
    low=NUMBERS,
    mean=NUMBERS,
    seed=st.integers(0, 2**63 - 1),
)
@settings(max_examples=25, deadline=None)
def test_whatever_is_written_reads_back_equal(settings_, words, low, mean, seed):
    """Words of every kind and numbers of every size survive, to the bit."""
    original = scenario(
        title=words,
        assumptions=(words,),
        seed=seed,
        world={"name": "w", "settings": settings_},
        people={"traits": {"x": {"normal": {"mean": mean}, "low": low}}},
    )
    assert from_yaml(to_yaml(original)) == original


def test_the_digest_is_of_what_is_said(tmp_path):
    """Layout and layers make no difference, every value does."""
    base = tmp_path / "a.yaml"
    base.write_text(to_yaml(scenario()))
    other = tmp_path / "b.yaml"
    other.write_text("# words\nextends: a.yaml\n")
    assert digest(load(base)) == digest(load(other)) == digest(scenario())
    assert digest(scenario(seed=2)) != digest(scenario())
    assert digest(load(base, sets=["people.memory.size=9"])) != digest(scenario())


def test_the_digest_does_not_depend_on_the_folder(tmp_path):
    """The same scenario with the same table beside it has one digest, wherever it lies."""
    found = []
    for name in ("here", "there"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "people.csv").write_text("x\n1\n")
        (folder / "s.yaml").write_text(to_yaml(scenario(people={"source": {"table": "people.csv"}})))
        found.append(load(folder / "s.yaml"))
    assert found[0] != found[1]
    assert digest(found[0]) == digest(found[1])


def test_the_schema_knows_every_key():
    """Each part is strict, lists may be added to, and what is explained in code is explained there."""
    schema = json_schema()
    assert schema["additionalProperties"] is False
    assert {"people", "drift", "drift+"} <= set(schema["properties"])
    assert schema["$defs"]["Distribution"]["anyOf"][0] == {"type": "number"}
    assert schema["$defs"]["Behaviour"]["properties"]["recovery"]["description"]
    json.dumps(schema)


def matches(value, schema, root):
    """Tell whether data fits a schema, for the few words of JSON Schema that ours uses."""
    if "$ref" in schema:
        return matches(value, root["$defs"][schema["$ref"].rpartition("/")[2]], root)
    if "anyOf" in schema and not any(matches(value, s, root) for s in schema["anyOf"]):
        return False
    kinds = {
        "object": dict,
        "array": list,
        "string": str,
        "integer": int,
        "number": (int, float),
        "boolean": bool,
        "null": type(None),
    }
    if "type" in schema and not isinstance(value, kinds[schema["type"]]):
        return False
    if isinstance(value, list) and isinstance(schema.get("items"), dict):
        return all(matches(v, schema["items"], root) for v in value)
    if not isinstance(value, dict):
        return value in schema.get("enum", [value])
    known = schema.get("properties", {})
    if any(key not in value for key in schema.get("required", ())):
        return False
    more = schema.get("additionalProperties", True)
    return all(
        matches(v, known[k], root) if k in known else bool(more) and (more is True or matches(v, more, root))
        for k, v in value.items()
    )


def test_the_schema_accepts_layers_and_refuses_misspelt_keys():
    """An editor does not complain of a layer, and does complain of a wrong key."""
    schema = json_schema()
    layer = {"extends": "travel", "drift+": [{"tick": 3, "what": "x"}], "world": {"settings": {"a": 1}}}
    assert matches(layer, schema, schema)
    assert matches({"extends": "travel", "people": {"traits": {"x": 3}}}, schema, schema)
    assert matches(scenario().model_dump(mode="json"), schema, schema)
    assert not matches({"extends": "travel", "peple": {}}, schema, schema)
    assert not matches({"extends": "travel", "people": {"cuont": 3}}, schema, schema)
    assert not matches({"name": "x"}, schema, schema)


def test_settings_are_checked_by_their_own_model():
    """A world's or policy's settings get the same messages, under their own path."""

    class Settings(Strict):
        epsilon: float
        k: int = 1

    assert check(Settings, {"epsilon": 1}, under="policy.settings").epsilon == 1.0
    with pytest.raises(
        ScenarioError, match=r"^policy\.settings\.epsilno is not a known key.*Did you mean 'epsilon'"
    ):
        check(Settings, {"epsilno": 1, "epsilon": 2}, under="policy.settings")
    with pytest.raises(ScenarioError, match=r"^policy\.settings\.epsilon is missing"):
        check(Settings, {}, under="policy.settings")


def test_a_resolved_scenario_is_read_from_text_alone(tmp_path):
    """A record is opened without looking for the files that its scenario names."""
    text = to_yaml(scenario(people={"source": {"table": str(Path("/nowhere/people.csv"))}}))
    assert from_yaml(text).people.source.table == "/nowhere/people.csv"
