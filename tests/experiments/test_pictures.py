from __future__ import annotations

import csv
import json
import re
from html.parser import HTMLParser

import pytest

import rehearse
from rehearse.errors import NotFoundError, UserError
from rehearse.experiments.cli import main
from rehearse.experiments.deciding import Decision, Standing
from rehearse.experiments.pictures import drawing, markup
from rehearse.experiments.pictures.alone import alone
from rehearse.experiments.pictures.chart import Chart
from rehearse.experiments.report import charts as of_reports

VEGA_LITE = "application/vnd.vegalite.v5+json"
EVIL = "</script><b>'\"evil"
FUNCTION = """
def f(x, kind, seed):
    return {"value": x * (2.0 if kind == "b" else 1.0) + 0.01 * seed, "flat": 1.0}
"""


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """Return two small runs of the same people under two models."""
    folder, small = tmp_path_factory.mktemp("runs"), {"users": 25, "ticks": 5, "replicas": 3}
    names = {"people.groups.names": ["low", EVIL, "high"]}
    return [
        rehearse.run("travel", policy=f"{name}-v1", out=folder / name, settings=names, **small)
        for name in ("linear", "random")
    ]


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """Return a sweep of a function over two axes, with three seeds."""
    folder = tmp_path_factory.mktemp("swept")
    (folder / "model.py").write_text(FUNCTION)
    axes = {"x": [0.0, 1.0, 2.0], "kind": ["b", EVIL]}
    plan = {"run": f"{folder / 'model.py'}:f", "axes": axes, "seeds": 3}
    return rehearse.sweep(plan, out=folder / "sweep", jobs=0)


class Seen(HTMLParser):
    """Collects the tags and the text of a piece of HTML."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)

    def handle_data(self, data):
        self.text += data


def test_results_show_themselves_in_a_notebook(pair, swept):
    """Runs, comparisons and sweeps give a table in HTML, a Vega-Lite chart, and their text."""
    for result in (pair[0], rehearse.compare(pair[0].folder, pair[1].folder), swept):
        shown = result._repr_mimebundle_()
        assert shown[VEGA_LITE]["$schema"].endswith("vega-lite/v5.json")
        assert "<table>" in shown["text/html"]
        assert shown["text/plain"] == str(result) == repr(result)


def test_what_a_scenario_calls_things_never_becomes_markup(pair, swept):
    """A group or a value of an axis whose name is HTML stands in every table and page as the text it is."""
    for result in (rehearse.compare(pair[0].folder, pair[1].folder), swept):
        seen = Seen(result.markup())
        assert EVIL in seen.text
        assert {"b", "script"}.isdisjoint(seen.tags)
        assert EVIL not in next(iter(result.charts().values())).html()


def test_a_run_has_the_charts_of_its_report(pair):
    """Each chart of the report can be had by a name, with the very data that the report holds."""
    page = (pair[0].folder / "report.html").read_text(encoding="utf-8")
    held = json.loads(re.search(r'id="charts">(.*?)</script>', page)[1])["specs"].values()
    charts = pair[0].charts()
    assert [dict(spec) for spec in held] == [json.loads(json.dumps(chart.spec)) for chart in charts.values()]
    assert {"satisfaction", "goal-completion", "ends-by-group", "ties"} <= set(charts)


def test_every_chart_stands_by_itself(pair, swept):
    """Outside a page no chart refers to the page's colours or width, and lists of colours have a legend."""
    for result in (*pair, rehearse.compare(pair[0].folder, pair[1].folder), swept):
        for chart in result.charts().values():
            told = json.dumps(chart.vega_lite())
            assert "var(--" not in told
            assert '"container"' not in told
            assert chart.rows
    answers = pair[0].charts()["answers"].vega_lite()
    (legend,) = re.findall(r'"labelExpr": "(\[.*?\])\[datum.value\]"', json.dumps(answers))
    assert json.loads(legend.replace('\\"', '"')) == ["air", "train", "bus", "car"]


def test_a_chart_is_saved_as_its_ending_says(swept, tmp_path):
    """CSV holds the rows, JSON the specification, HTML a page that asks nobody for anything."""
    chart = swept.charts("value")["value-by-x"]
    with chart.save(tmp_path / "deep" / "x.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["at"]) for row in rows] == [0.0, 1.0, 2.0]
    # Over both kinds the mean is 1.5 x; what the seeds add is the same everywhere: 0.01 from one to the next.
    means = [float(row["mean"]) for row in rows]
    assert [mean - means[0] for mean in means] == pytest.approx([0.0, 1.5, 3.0])
    assert float(rows[1]["high"]) - float(rows[1]["mean"]) == pytest.approx(
        4.302653 * 0.01 / 3**0.5, rel=1e-5
    )
    assert json.loads(chart.save(tmp_path / "x.json").read_text())["data"]["values"][0]["at"] == 0.0
    page = chart.save(tmp_path / "x.html").read_text()
    assert "default-src 'none'" in page
    assert {"link", "img", "iframe"}.isdisjoint(set(Seen(page.partition("<body>")[2]).tags))


def test_a_sweep_draws_axes_pairs_and_what_matters(swept):
    """Each varied axis, each pair, and each axis' share of the variance have a chart for every metric."""
    charts = swept.charts()
    assert {"value-by-x", "value-by-kind", "value-by-x-and-kind", "value-sensitivity"} <= set(charts)
    assert len(charts["value-by-x-and-kind"].rows) == 6
    shares = {row["what"]: row["value"] for row in charts["value-sensitivity"].rows}
    # Of the points 0, 2, 4 and 0, 1, 2 the variance is 23/12; of their means by x it is 3/2, by kind 1/4.
    assert shares == pytest.approx({"x": 18 / 23, "kind": 3 / 23})
    assert {row["value"] for row in charts["flat-sensitivity"].rows} == {0.0}
    with pytest.raises(NotFoundError, match="value-by-x"):
        charts["value-by-z"]
    with pytest.raises(NotFoundError, match="nothing"):
        swept.charts("nothing")


def test_tables_asked_in_sql_are_tables_in_a_notebook(pair):
    """What a query returns shows its first rows, as text and never as markup, and how many more there are."""
    groups = pair[0].turns.query('SELECT "group", count(*) AS n FROM users GROUP BY 1 ORDER BY 1')
    seen = Seen(groups._repr_html_())
    assert EVIL in seen.text
    assert seen.tags.count("tr") == 4
    assert "rows more" in pair[0].turns.query("SELECT * FROM users")._repr_html_()


def test_a_folder_gives_its_run_or_sweep(pair, swept, tmp_path):
    """`rehearse.read` returns what `run` and `sweep` returned, and says so where there is neither."""
    assert rehearse.read(pair[0].folder) == pair[0]
    assert str(rehearse.read(swept.folder)) == str(swept)
    with pytest.raises(NotFoundError):
        rehearse.read(tmp_path)


def test_pictures_are_drawn_where_they_can_be(swept, tmp_path, monkeypatch):
    """Where vl-convert is missing, SVG says what to install, and a notebook gets a page instead."""
    chart = swept.charts("value")["value-by-x"]
    monkeypatch.setattr(drawing, "can_draw", lambda: False)
    monkeypatch.setitem(__import__("sys").modules, "vl_convert", None)
    with pytest.raises(UserError, match=r"pip install 'rehearse\[pictures\]'"):
        chart.save(tmp_path / "x.png")
    with pytest.raises(UserError, match=r"\.svg"):
        chart.save(tmp_path / "x.pdf")
    assert list(tmp_path.iterdir()) == []
    assert "srcdoc" in chart._repr_mimebundle_()["text/html"]


def test_svg_and_png_are_those_of_the_chart(swept, pair, tmp_path):
    """With the extra, every kind of chart becomes an SVG with its title, and a PNG twice its size."""
    pytest.importorskip("vl_convert", reason="vl-convert is not installed (extra pictures)")
    for chart in (swept.charts("value")["value-by-x-and-kind"], pair[0].charts()["ties"]):
        assert chart.title in chart.save(tmp_path / "x.svg").read_text(encoding="utf-8")
        assert chart.save(tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")
        assert chart._repr_mimebundle_()["image/svg+xml"].startswith("<svg")


def test_the_command_lists_and_saves_charts(pair, swept, tmp_path, capsys):
    """`rehearse picture` lists the charts of a run, and saves those of runs, sweeps and comparisons."""
    run, other, sweep = (str(folder) for folder in (pair[0].folder, pair[1].folder, swept.folder))
    assert main(["picture", run, "--json"]) == 0
    assert "satisfaction" in json.loads(capsys.readouterr().out)["charts"]
    to = tmp_path / "d.csv"
    assert main(["picture", run, "differences", "--against", other, "--to", str(to)]) == 0
    assert to.read_text().startswith("what,value,low,high")
    assert main(["picture", sweep, "flat-by-x", "--metric", "flat", "--to", str(to)]) == 0
    capsys.readouterr()
    assert main(["picture", sweep, "flat-by-y"]) == 2
    assert "flat-by-x" in capsys.readouterr().err
    assert main(["picture", sweep, "--against", run]) == 2


def test_a_sweep_has_a_report(swept, capsys):
    """`rehearse report SWEEP` writes a page with the table and every chart; shades that blend are colours."""
    assert main(["report", str(swept.folder)]) == 0
    path = swept.folder / "report.html"
    assert capsys.readouterr().out.strip() == str(path)
    page = path.read_text(encoding="utf-8")
    held = json.loads(re.search(r'id="charts">(.*?)</script>', page)[1])["specs"]
    assert len(held) == len(swept.charts())
    assert EVIL in Seen(page.partition("<main>")[2].partition("</main>")[0]).text
    fills = [layer["encoding"].get("fill", {}) for spec in held.values() for layer in spec["layer"]]
    blended = [fill["scale"]["range"] for fill in fills if fill.get("type") == "quantitative"]
    assert blended
    assert all(colour.startswith("#") for shades in blended for colour in shades)


def test_a_sweep_that_failed_says_why(tmp_path):
    """Where every run failed there is no chart, and the errors stand in the text and in the HTML."""
    (tmp_path / "model.py").write_text("def f(x):\n    raise ValueError('no <b>luck</b>')\n")
    plan = {"run": f"{tmp_path / 'model.py'}:f", "axes": {"x": [1, 2]}}
    failed = rehearse.sweep(plan, out=tmp_path / "sweep", jobs=0)
    assert not failed.charts()
    assert "no <b>luck</b>" in str(failed)
    assert "no <b>luck</b>" in Seen(failed._repr_mimebundle_()["text/html"]).text


def test_tables_say_how_many_rows_they_leave_out():
    """A long table ends with the number of rows that are not shown; numbers stand to the right."""
    told = markup.table(["name", "n"], [[f"row {i}", i] for i in range(25)])
    assert "5 rows more" in told
    assert told.count('class="n"') == 21


def test_letters_are_told_beside_the_chart():
    """A chart with marks says what each letter stands for, in its page too."""
    marks = [{"tick": 3, "letter": "A", "kind": "drift", "note": EVIL}]
    spec = of_reports.actions(
        [{"tick": t, "item": 0, "share": 1.0} for t in range(6)], [(0, "x")], "day", marks
    )
    chart = Chart("answers", of_reports.named(spec, "answers", "Answers"))
    assert chart.notes == [f"A: {EVIL}"]
    assert EVIL in Seen(chart.html().partition("<main>")[2].partition("</main>")[0]).text


def test_legends_of_places_take_no_code():
    """A name with quotes is a quoted string of the legend's expression."""
    spec = of_reports.actions([{"tick": 0, "item": 0, "share": 1.0}], [(0, EVIL)], "day", ())
    (said,) = re.findall(r'"labelExpr": ("(?:[^"\\]|\\.)*")', json.dumps(alone(spec)))
    assert json.loads(said) == f"{json.dumps([EVIL])}[datum.value]"


def test_a_decision_shows_its_criteria_and_margins():
    """What was decided by evidence shows a row a criterion, and a margin above 0 where it passes."""
    asked = {"group": None, "confidence": 0.95, "runs": 2, "sentence": "…"}
    passed = {"metric": "harm", "direction": "at_most", "threshold": 0.5, "verdict": "pass"}
    missed = {"metric": "reward", "direction": "at_least", "threshold": 2.0, "verdict": "fail"}
    bounds = {"estimate": 0.3, "low": 0.2, "high": 0.4}
    standings = [Standing(**asked, **bounds, **each) for each in (passed, missed)]
    standings.append(standings[0].model_copy(update={"estimate": None, "low": None, "high": None}))
    found = Decision(verdict="fail", runs=("a", "b"), seeds=(1, 2), most=4, criteria=tuple(standings))
    assert found.markup().count("<tr>") == 4
    assert [(r["low"], r["value"], r["high"]) for r in found.charts()["margins"].rows] == [
        pytest.approx((1.0, 2.0, 3.0)),
        pytest.approx((-18.0, -17.0, -16.0)),
    ]
