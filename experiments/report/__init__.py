"""The report: one self-contained page that shows a run, opened by any browser without a network.

`write(folder)` reads the record, lets SQL make small tables of it, draws them as Vega-Lite charts
and fills a template. The page forbids itself every request by a content security policy, holds no
more than a few hundred rows for each chart, and says in words what it shows in colour.
"""

from __future__ import annotations

import json
import re
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jinja2 import Template

    from rehearse.record.reading import RunRecord

REPORT = "report.html"
VENDORED = ("vega", "vega-lite", "vega-embed")
_UNSAFE = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


def write(folder: Path, record: RunRecord | None = None) -> Path:
    """Write `report.html` into a finished run's folder and return its path; `record`, where it is open.

    Raises NotFoundError or OutputError where the folder is no finished run or cannot be written.
    """
    from rehearse.experiments.report.facts import Remembered
    from rehearse.experiments.report.sections import page
    from rehearse.tables import write_text

    path = folder / REPORT
    write_text(path, render(page(record or Remembered(folder))))
    return path


def render(page: Mapping[str, Any]) -> str:
    """Fill the template with what `sections.page` gathered."""
    return with_scripts("page.html.j2", page["charts"], page)


def with_scripts(template: str, charts: Mapping[str, Any], rest: Mapping[str, Any]) -> str:
    """Fill a template of this package that draws charts (`config`, and `specs` by the id of their place)."""
    # Only what stands in this package is marked safe in the template, and JSON by `for_script`.
    return fill(
        template,
        {
            **rest,
            "script": _own("page.js"),
            "embedded": for_script(charts),
            "scripts": [(name, _own(f"vendor/LICENSE-{name}").strip(), _vendored(name)) for name in VENDORED],
            "third_party": _own("vendor/LICENSE-third-party").strip(),
        },
    )


def fill(template: str, page: Mapping[str, Any]) -> str:
    """Fill a template of this package, which is given its style too."""
    return _template(template).render(**page, style=_own("style.css"))


def for_script(data: object) -> str:
    """Return JSON that no content can turn into markup: it cannot end its script element."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return re.sub("[<>&\u2028\u2029]", lambda found: _UNSAFE[found.group()], text)


@cache
def _template(name: str) -> Template:
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(_own(name))


def _own(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


@cache
def _vendored(name: str) -> str:
    text = _own(f"vendor/{name}.min.js")
    # A source map would be fetched by a browser's developer tools.
    return re.sub(r"^//# sourceMappingURL=.*$", "", text, flags=re.MULTILINE)
