"""The door to vl-convert, which draws Vega and Vega-Lite without a browser: SVG and PNG."""

from __future__ import annotations

import json
from functools import lru_cache
from importlib.util import find_spec
from typing import Any

from rehearse.errors import UserError
from rehearse.experiments.pictures.alone import is_vega
from rehearse.experiments.report.charts import Spec

SCALE = 2.0
"""Pixels of a PNG for one of the chart's own."""


def can_draw() -> bool:
    """Return whether SVG and PNG can be drawn here."""
    return find_spec("vl_convert") is not None


def svg(spec: Spec) -> str:
    """Return a chart as SVG; raises UserError where the extra is not installed."""
    return _svg(json.dumps(spec))


@lru_cache(maxsize=64)
def _svg(text: str) -> str:
    library, spec = _library(), json.loads(text)
    drawn = library.vega_to_svg(spec) if is_vega(spec) else library.vegalite_to_svg(spec)
    return str(drawn)


def png(spec: Spec) -> bytes:
    """Return a chart as PNG, two pixels for each of its own; raises as `svg` does."""
    library = _library()
    draw = library.vega_to_png if is_vega(spec) else library.vegalite_to_png
    return bytes(draw(spec, scale=SCALE))


def _library() -> Any:
    try:
        import vl_convert
    except ImportError:
        problem = "SVG and PNG are drawn by vl-convert, which is not installed."
        remedy = "Run: pip install 'rehearse[pictures]'. HTML, CSV and JSON need nothing more."
        raise UserError(problem, remedy) from None
    return vl_convert
