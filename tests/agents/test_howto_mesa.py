"""The page for Mesa users: what stands there runs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "howto" / "mesa.md"


def test_the_programs_of_the_page_run(tmp_path):
    """The Python of the page, one piece after another, runs by itself, without a warning."""
    pieces = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    program = "\n".join([*pieces[:3], "Town().step()"])
    program = program.replace("ticks=50", "ticks=5").replace("users=200", "users=40")
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert re.match(r"[0-9a-f]{64} Interval\(estimate=", done.stdout)
