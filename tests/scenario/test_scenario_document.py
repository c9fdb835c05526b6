"""YAML as it is typed: what is read, and what is refused with the place where it stands."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rehearse.errors import ScenarioError
from rehearse.scenario.document import MAX_BYTES, parse, parse_value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("on", "on"),
        ("true", True),
        ("1e3", 1000),
        ("012", 12),
        ("1:30", "1:30"),
        ("2024-01-01", "2024-01-01"),
        ("'5'", "5"),
        ("~", None),
        ("2.50", 2.5),
        ("[1, {a: 2}]", [1, {"a": 2}]),
        ("", None),
    ],
)
def test_values_are_read_as_yaml_1_2(text, value):
    """A word stays a word, a number is a number, and a date is not made of what looks like one."""
    found = parse_value(text, "--set x")
    assert found.plain() == value
    assert type(found.plain()) is type(value)


def test_every_part_knows_its_place():
    """A value's place is that of its key; an entry of a list has its own."""
    tree = parse("a: 1\nb:\n  c: [x,\n      y]\n", "f.yaml")
    assert str(tree.child("a").place) == "f.yaml:1:1"
    assert str(tree.child("b").child("c").place) == "f.yaml:3:3"
    assert str(tree.child("b").child("c").child(1).place) == "f.yaml:4:7"


def test_what_an_option_holds_has_no_line():
    """A wrong value of an option is told with the option, not with a line number."""
    with pytest.raises(ScenarioError, match=r"^--set a=\.inf: \.inf is not a finite number"):
        parse_value(".inf", "--set a=.inf")


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        ("a: 1\nb: 2\na: 3", "f:3:1", "'a' is given twice, first in line 1"),
        ("a:\n\t- 1", "f:2:1", "cannot start any token"),
        ("a: b: c", "f:1:5", "mapping values are not allowed"),
        ("a: [1,\nb: 2", "f:2:", "expected"),
        ("a: 'open\nb: 2", "f:2:", "began in line 1"),
        ("a: .nan", "f:1:1", "not a finite number"),
        ("a: [1, 1e999]", "f:1:8", "not a finite number"),
        ("a: 99999999999999999999", "f:1:1", "a huge number"),
        (f"a: {'9' * 5000}", "f:1:1", "(5000 digits)"),
        ("a: !!python/object:os.system x", "f:1:1", "the tag"),
        ("a: !!set {x, y}", "f:1:1", "the tag"),
        ("<<: {a: 1}", "f:1:1", "merge keys"),
        ("? [a, b]\n: 1", "f:1:3", "cannot be a key"),
        ("a: 1\n---\nb: 2", "f:2:1", "another document"),
        ("a: *nobody", "f:1:4", "undefined alias"),
        ("a: &x [*x]", "f:", "aliases"),
        ("%YAML 1.1\n---\na: no", "f:", "not YAML 1.2"),
        ("a: \x01", "f:", "not allowed"),
        ("", "f:", "empty"),
        ("# only words\n", "f:", "empty"),
        ("a: " + "[" * 60 + "]" * 60, "f:1:", "40 levels"),
        ("a: " + "[" * 1500, "f:", "levels"),
    ],
)
def test_what_is_refused_is_told_with_its_place(text, where, what):
    """Each mistake gives one message that begins with file, line and column, and says what is wrong."""
    with pytest.raises(ScenarioError) as caught:
        parse(text, "f")
    assert caught.value.problem.startswith(where)
    assert what in caught.value.problem
    assert caught.value.remedy


def test_bytes_that_are_not_utf_8_are_told_with_their_place():
    """The line and column are those of the first bad byte."""
    with pytest.raises(ScenarioError, match=r"^f:2:4: byte 0xff is not UTF-8"):
        parse(b"a: 1\nb: \xff\n", "f")


def test_a_byte_order_mark_does_no_harm():
    """What Windows editors put first is not part of the first key."""
    assert parse(b"\xef\xbb\xbfa: 1\n", "f").plain() == {"a": 1}


def test_aliases_cannot_blow_up():
    """Ten aliases of ten aliases of … are refused long before memory is used up."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)]
    with pytest.raises(ScenarioError, match="100,000 values"):
        parse("\n".join(lines), "f")


def test_too_large_a_file_is_refused():
    """A file of more than a million bytes is no scenario."""
    with pytest.raises(ScenarioError, match="more than a scenario may have"):
        parse(b"a: 1\n" + b"#" * MAX_BYTES, "f")


@given(st.one_of(st.binary(max_size=200), st.text("ab:-[]{}&*!%@`'\"|>\\\n\t #?,.0123456789", max_size=60)))
@settings(max_examples=300, deadline=None)
def test_nothing_that_can_be_typed_gives_another_error(data):
    """Whatever the bytes, there is a tree or a ScenarioError."""
    with contextlib.suppress(ScenarioError):
        parse(data, "f")
