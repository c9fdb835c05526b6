"""A chart with a name: its specification, its data, and the files that it can be saved as."""

from __future__ import annotations

import csv
import io
import json
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from rehearse.errors import NotFoundError, UserError, did_you_mean
from rehearse.experiments.pictures import drawing
from rehearse.experiments.pictures.alone import alone, framed, is_vega
from rehearse.experiments.report.charts import CONFIG, Spec

SUFFIXES = (".svg", ".png", ".html", ".csv", ".json")
MIME = {True: "application/vnd.vega.v5+json", False: "application/vnd.vegalite.v5+json"}
"""What JupyterLab, Notebook, VS Code and Colab draw: version 5, in which all our charts are written."""
SCHEMA = {
    True: "https://vega.github.io/schema/vega/v5.json",
    False: "https://vega.github.io/schema/vega-lite/v5.json",
}
FRAME = (120, 30)
"""Pixels round a chart in a page, and those of a row, for a guess at how high the page is."""


@dataclass(frozen=True, slots=True, repr=False)
class Chart:
    """A chart of a result, as a Vega-Lite specification that holds its data."""

    name: str
    spec: Spec
    """As the report has it: colours are names (`var(--ink)`), the width is that of the page."""

    @property
    def title(self) -> str:
        """Return what the chart shows."""
        return str(self.spec.get("usermeta", {}).get("title") or self.name)

    @property
    def description(self) -> str:
        """Return the chart in a sentence, for those who cannot see it."""
        return str(self.spec.get("description", ""))

    @property
    def rows(self) -> list[dict[str, Any]]:
        """Return the data that is drawn, a row each."""
        data = self.spec.get("data", {})
        found = data if isinstance(data, list) else [data]
        return [dict(row) for row in next((one["values"] for one in found if one.get("values")), ())]

    @property
    def notes(self) -> list[str]:
        """Return what the letters in the chart stand for: what happened when."""
        layers = self.spec.get("layer", ())
        rows = [row for layer in layers for row in layer.get("data", {}).get("values", ()) if "letter" in row]
        return list(dict.fromkeys(str(row["note"]) for row in rows))

    def vega_lite(self, *, width: int = 640) -> Spec:
        """Return a specification that draws the same anywhere; of Vega for a graph, beyond Vega-Lite."""
        return alone(self.spec, width=width)

    def svg(self) -> str:
        """Return the picture as SVG; raises UserError without the extra `pictures`."""
        return drawing.svg(self.vega_lite())

    def png(self) -> bytes:
        """Return the picture as PNG; raises UserError without the extra `pictures`."""
        return drawing.png(self.vega_lite())

    def html(self) -> str:
        """Return a page with the chart that needs no network."""
        return page_of([self])

    def csv(self) -> str:
        """Return the data as CSV."""
        names = list(dict.fromkeys(name for row in self.rows for name in row))
        text = io.StringIO()
        writer = csv.DictWriter(text, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows)
        return text.getvalue()

    def json(self) -> str:
        """Return the specification, with the data in it, as JSON."""
        return json.dumps(self.vega_lite(), indent=1, ensure_ascii=False) + "\n"

    def save(self, to: str | Path) -> Path:
        """Write the chart to a file and return its path: .svg, .png, .html, .csv (data), .json (Vega-Lite).

        Raises UserError for any other ending, or without the extra `pictures` for SVG and PNG.
        """
        from rehearse.tables import write_bytes

        path = Path(to)
        writers: dict[str, Callable[[], str | bytes]] = {
            ".svg": self.svg,
            ".png": self.png,
            ".html": self.html,
            ".csv": self.csv,
            ".json": self.json,
        }
        made = writers.get(path.suffix.lower())
        if made is None:
            problem = (
                f"{str(path)!r}: a chart cannot be saved as {path.suffix or 'a file without an ending'}."
            )
            raise UserError(problem, f"Take one of {', '.join(SUFFIXES)}.")
        content = made()
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(path, content if isinstance(content, bytes) else content.encode())
        return path

    def __repr__(self) -> str:
        """Return its name and what it shows."""
        return f"Chart {self.name}: {self.title}"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        del include, exclude
        vega = is_vega(self.spec)
        told = {MIME[vega]: {**self.vega_lite(), "$schema": SCHEMA[vega]}, "text/plain": repr(self)}
        # JupyterLab takes HTML before Vega-Lite, and Vega-Lite before SVG: a still picture only where
        # nothing better can be drawn, a page with all scripts in it only where no picture can be made.
        return told | ({"image/svg+xml": self.svg()} if drawing.can_draw() else {"text/html": inline([self])})


class Charts(dict[str, Chart]):
    """The charts of a result by name; a name that there is not is answered with the nearest."""

    @classmethod
    def of(cls, specs: Iterable[Spec]) -> Charts:
        """Return charts by the names that stand in their specifications."""
        found = cls()
        for spec in specs:
            name = str(spec["usermeta"]["name"])
            while name in found:
                name += "-also"
            found[name] = Chart(name, spec)
        return found

    def __missing__(self, name: str) -> Chart:
        """Say which charts there are."""
        problem = f"there is no chart {name!r}."
        raise NotFoundError(problem, did_you_mean(name, self))

    def __repr__(self) -> str:
        """Return the names with what each shows."""
        width = max(map(len, self), default=0)
        return "\n".join(f"{name:<{width}}  {chart.title}" for name, chart in self.items()) or "no charts"


def page_of(charts: Iterable[Chart], lede: str = "", title: str = "") -> str:
    """Return a page with charts under some HTML of our own, drawn by scripts that travel in it."""
    from rehearse.experiments import report

    listed = list(charts)
    specs = {f"chart-{i}": framed(chart.spec, width="container") for i, chart in enumerate(listed)}
    config = {**CONFIG, "legend": {"disable": True, "labelColor": "var(--soft)", "labelFontSize": 11}}
    told = {
        "title": title or ", ".join(chart.title for chart in listed[:2]),
        "lede": lede,
        "drawn": list(zip(specs, listed, strict=True)),
    }
    return report.with_scripts("picture.html.j2", {"config": config, "specs": specs}, told)


def inline(charts: Iterable[Chart]) -> str:
    """Return charts for the middle of a page: pictures, or a frame with a page where none can be drawn."""
    listed = list(charts)
    if drawing.can_draw():
        return "".join(map(_image, listed))
    height = sum(_height(chart.spec) for chart in listed)
    page = escape(page_of(listed), quote=True)
    return (
        f'<iframe sandbox="allow-scripts" srcdoc="{page}" title="charts" loading="lazy" '
        f'style="width:100%;max-width:{FRAME[0] * 5}px;height:{height}px;border:0"></iframe>'
    )


def _image(chart: Chart) -> str:
    """Return the chart as an image: marks inside one drawing then never answer to names in another."""
    drawn = b64encode(chart.svg().encode()).decode()
    told = f'alt="{escape(chart.title, quote=True)}" style="display:block;max-width:100%"'
    notes = "".join(f"<p><small>{escape(note)}</small></p>" for note in chart.notes)
    return f'<img src="data:image/svg+xml;base64,{drawn}" {told}>{notes}'


def _height(spec: Mapping[str, Any]) -> int:
    height = spec.get("height", 200)
    around, row = FRAME
    if isinstance(height, Mapping):
        values = spec.get("data", {}).get("values", ())
        return around + int(height.get("step", row)) * len(
            {str(v.get("part", v.get("what"))) for v in values}
        )
    return around + int(height)
