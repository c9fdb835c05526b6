"""What a model writes: files only where it may, a bounded number of words, and never a secret."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

import rehearse
from rehearse.errors import SandboxError, UserError
from rehearse.policies.sandbox import Within, walled
from rehearse.policies.written import MOST_SAID
from rehearse.redact import is_secret
from rehearse.scenario.sandbox import Sandbox

SMALL = {"users": 12, "ticks": 2, "replicas": 2}
SECRET = 'sk-"x<4>/ü=17' + "z" * 8


@pytest.fixture
def home(tmp_path, monkeypatch):
    """Return a folder in which temporary files, caches and other things each have their place."""
    for name in ("tmp", "cache", "elsewhere", "mine"):
        (tmp_path / name).mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def renames(path):
    """Put a file in another's place."""
    path.with_name("there").rename(path)


CHANGES = {
    "opens": lambda path: path.open("w").close(),
    "opens below Python": lambda path: os.close(os.open(path, os.O_CREAT | os.O_WRONLY)),
    "appends": lambda path: path.with_name("there").open("a").close(),
    "removes": lambda path: path.with_name("there").unlink(),
    "renames": renames,
    "makes a folder": lambda path: path.mkdir(),
    "links": lambda path: path.symlink_to("/"),
    "truncates": lambda path: os.truncate(path.with_name("there"), 0),
    "changes rights": lambda path: path.with_name("there").chmod(0o777),
}


@pytest.mark.parametrize("change", CHANGES, ids=lambda name: name.replace(" ", "-"))
def test_files_are_changed_only_where_they_may_be(change, home):
    """Elsewhere nothing changes; in folders for temporary files, for caches, and named ones all goes."""
    for name in ("tmp", "cache", "mine", "elsewhere"):
        (home / name / "there").write_text("as it was")
    with walled(Sandbox(write=("mine",))) as walls, Within(walls):
        for name in ("tmp", "cache", "mine"):
            CHANGES[change](home / name / "new")
        assert walls.count == 0
        with pytest.raises(SandboxError, match=r"tried to write .*elsewhere.*sandbox\.write"):
            CHANGES[change](home / "elsewhere" / "new")
        assert (home / "elsewhere" / "there").read_text() == "as it was"
    assert [path.name for path in (home / "elsewhere").iterdir()] == ["there"]


def test_what_is_harmless_is_let_through(home):
    """Reading, asking for a folder that is there, compiled code, a temporary folder's whole life."""
    with walled(Sandbox()) as walls, Within(walls):
        (home / "elsewhere").mkdir(exist_ok=True)
        Path(__file__).read_bytes()
        with Path(os.devnull).open("w") as nowhere:
            nowhere.write("x")
        (home / "elsewhere" / "__pycache__").mkdir()
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "deep").mkdir()
            Path(folder, "deep", "file").write_text("x")
        assert walls.count == 0
        (home / "tmp" / "out").symlink_to(home / "elsewhere")
        with pytest.raises(SandboxError):
            (home / "tmp" / "out" / "file").write_text("by a way round")


def test_the_folder_of_the_run_is_not_the_models_to_touch(tmp_path):
    """Not even where it lies among temporary files; the record says what was tried."""
    folder = tmp_path / "r"

    def model(person):
        (folder / "manifest.json").write_text("{}")
        return "car"

    done = rehearse.run("travel", policy=model, out=folder, **SMALL)
    assert done.turns.manifest["sandbox"]["refused"] == {
        f"tried to write {folder / 'manifest.json'}": done.user_turns
    }
    assert done.turns.query("SELECT DISTINCT fault FROM turns")["fault"].tolist() == ["forbidden"]


def test_a_secret_lands_nowhere(tmp_path, monkeypatch, capsys):
    """Not in the log, the manifest, the verdict or the report, nor on the terminal, however it is said."""
    monkeypatch.setenv("SOME_API_KEY", SECRET)
    monkeypatch.setenv("PLAIN_NAME", "hunter2hunter2")

    def model(person):
        print("the key is", SECRET, "and", "hunter2hunter2")  # noqa: T201 - what is tested
        if person["turn"]:
            problem = f"401 for {SECRET} and hunter2hunter2"
            raise ValueError(problem)
        return "car"

    done = rehearse.run(
        "travel", policy=model, out=tmp_path / "r", settings={"sandbox.secrets": ["PLAIN_NAME"]}, **SMALL
    )
    log = (done.folder / "log.jsonl").read_text()
    assert "the key is *** and ***" in log
    assert "ValueError: 401 for *** and ***" in log
    said = "".join(capsys.readouterr())
    assert "the key is *** and ***" in said
    texts = [said, *(p.read_bytes().decode(errors="replace") for p in done.folder.rglob("*") if p.is_file())]
    assert not [text for text in texts if "z" * 8 in text or "hunter2" in text]


def test_a_scenario_that_holds_a_secret_is_not_kept(tmp_path, monkeypatch):
    """The mistake is said before anything is written."""
    monkeypatch.setenv("SOME_API_KEY", "abcdefgh-ijkl")
    with pytest.raises(UserError, match="holds the value of a secret"):
        rehearse.run("travel", out=tmp_path / "r", settings={"title": "with abcdefgh-ijkl"}, **SMALL)
    assert not (tmp_path / "r").exists()


def test_a_model_cannot_flood_the_terminal(tmp_path, capsys):
    """What it prints is passed on up to a limit, then counted."""

    def model(person):
        print("all work and no play " * 1000)  # noqa: T201 - what is tested
        return "car"

    done = rehearse.run("travel", policy=model, out=tmp_path / "r", **SMALL)
    said = capsys.readouterr().out
    assert len(said) < MOST_SAID + 200
    assert "the rest is dropped" in said
    assert done.turns.manifest["sandbox"]["printed"] == 21001 * done.user_turns
    assert (done.folder / "log.jsonl").stat().st_size < 3 * MOST_SAID


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("OPENAI_API_KEY", True),
        ("PGPASSWORD", True),
        ("AWS_SESSION_TOKEN", True),
        ("db_secrets", True),
        ("GIT_AUTHOR_NAME", False),
        ("PWD", False),
        ("TOKENIZERS_PARALLELISM", False),
    ],
)
def test_names_that_say_secret(name, secret):
    """Words of a name decide, not letters that happen to stand in it."""
    assert is_secret(name) is secret
