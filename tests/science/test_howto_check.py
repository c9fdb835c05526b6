"""The page on checking a result: its check runs, and could fail."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "howto" / "check.md").read_text(encoding="utf-8")


@pytest.mark.science
@pytest.mark.parametrize(("utility", "code"), [(2, 0), (3, 1)])
def test_the_check_of_the_page_passes_and_could_fail(tmp_path, utility, code):
    """Shares are those of a logit (McFadden 1974) to four standard errors; of other utilities not."""
    program = "\n".join(re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL))
    program = program.replace('{"a": 2,', f'{{"a": {utility},')
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == code, done.stderr
