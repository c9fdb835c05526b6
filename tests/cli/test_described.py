"""What `rehearse show` says of a part's settings."""

from __future__ import annotations

from typing import get_args

import pytest

from rehearse.experiments.cli import main
from rehearse.registry import Kind, entries

NAMES = sorted({name for kind in get_args(Kind) for name in entries(kind)})


@pytest.mark.parametrize("name", NAMES)
def test_every_setting_is_described(name, capsys):
    """Beside each setting stands what it is, not its default alone."""
    assert main(["show", name]) == 0
    settings = capsys.readouterr().out.partition("\nSettings\n")[2].splitlines()
    rows = [line.split(maxsplit=1) for line in settings if line.startswith("  ") and line[2] != " "]
    assert [row[0] for row in rows if len(row) < 2 or row[1].startswith("[")] == []
