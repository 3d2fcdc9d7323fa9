"""The program as a whole: names, exit codes, speed, and its documentation."""

from __future__ import annotations

import datetime
import pathlib
import re
import subprocess
import sys

import pytest
import typer.main
import yaml

import prunella
from prunella.api import resources
from prunella.cli import main, options, page, terminal
from tests.cli import conftest, fakes

ROOT = pathlib.Path(__file__).parents[2]
COMMANDS = [each.__name__ for each in main.COMMANDS]


def test_help_names_every_command(run: conftest.Run) -> None:
    """Somebody who types only the name learns what there is."""
    result = run("--help")

    assert 0 == result.code
    assert all(f"\n  {command} " in result.out for command in COMMANDS)


def test_version_is_told(run: conftest.Run) -> None:
    """The version is that of the package."""
    assert conftest.Result(0, f"prunella {prunella.__version__}\n", "") == run("--version")


NAMES = {
    "prunella": "prunella",
    "/usr/local/bin/prunella": "prunella",
    "kubectl-prunella": "kubectl prunella",
    "/opt/krew/bin/kubectl-prunella": "kubectl prunella",
    "kubectl-prunella.exe": "kubectl prunella",
    "/app/__main__.py": "prunella",
}


@pytest.mark.parametrize("argument", NAMES)
def test_help_uses_the_name_that_was_typed(run: conftest.Run, argument: str) -> None:
    """As a plugin of kubectl, usage lines can be copied as they stand."""
    result = run("status", "--help", name=argument)

    assert result.out.startswith(f"Usage: {NAMES[argument]} status")


WRONG = {
    "unknown command": ("heal",),
    "unknown option": ("status", "--everything"),
    "missing argument": ("explain",),
    "wrong value": ("status", "--output", "xml"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_use_is_code_2(run: conftest.Run, name: str) -> None:
    """A slip on the command line is told on standard error."""
    result = run(*WRONG[name])

    assert (2, "") == (result.code, result.out)
    assert "Traceback" not in result.err
    assert result.err


def test_a_defect_shows_no_traceback(run: conftest.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """What nobody thought of is one line, and a way to see the rest."""

    def broken(*_: object) -> None:
        raise KeyError("surprise")

    monkeypatch.setattr(options, "connect", broken)

    message = "this is a defect of prunella, not yours: KeyError: 'surprise' (see PRUNELLA_DEBUG=1)"
    assert conftest.Result(2, "", f"error: {message}\n") == run("status")


def test_debugging_shows_the_traceback(run: conftest.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who asks for the traceback gets it."""

    def broken(*_: object) -> None:
        raise KeyError("surprise")

    monkeypatch.setattr(options, "connect", broken)
    monkeypatch.setenv("PRUNELLA_DEBUG", "1")

    assert "Traceback (most recent call last)" in run("status").err


def test_a_reader_that_leaves_is_no_error() -> None:
    """``prunella crds | head -1`` ends quietly."""
    program = [sys.executable, "-c", "from prunella.cli.main import main; main()", "crds"]
    with subprocess.Popen(  # noqa: S603 - our own program
        program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT / "operator"
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        errors = process.stderr.read()

    assert (0, b"") == (process.returncode, errors)


def test_help_imports_no_client_and_no_model() -> None:
    """Help and completion are quick because nothing heavy is imported for them."""
    heavy = ("kubernetes", "kopf", "pydantic", "rich", "promql_parser", "yaml", "requests")
    code = (
        "import sys; from prunella.cli import main; "
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    found = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", code],
        cwd=ROOT / "operator",
        capture_output=True,
        text=True,
        check=True,
    )

    assert "[]\n" == found.stdout


def test_crds_are_yaml_documents_for_kubectl(run: conftest.Run) -> None:
    """All definitions, in the form that `kubectl apply` reads."""
    result = run("crds")

    documents = list(yaml.safe_load_all(result.out))
    assert [each.name for each in resources.ALL] == [
        document["metadata"]["name"] for document in documents
    ]
    assert {"CustomResourceDefinition"} == {document["kind"] for document in documents}


def test_crds_as_files_are_those_of_the_repository(
    run: conftest.Run, tmp_path: pathlib.Path
) -> None:
    """What is checked in, and what the chart carries, is what the models say."""
    run("crds", "--directory", str(tmp_path))

    names = {path.name for path in (ROOT / "crds").iterdir()}
    assert names == {path.name for path in tmp_path.iterdir()}
    for name in names:
        written = (tmp_path / name).read_text()
        assert written == (ROOT / "crds" / name).read_text()
        assert written == (ROOT / "charts" / "prunella" / "crds" / name).read_text()


def test_crds_into_no_folder_is_one_line(run: conftest.Run, tmp_path: pathlib.Path) -> None:
    """A folder that is not there is named."""
    result = run("crds", "--directory", str(tmp_path / "none"))

    path = tmp_path / "none" / "remediationpolicies.prunella.dev.yaml"
    message = f"error: can't write {path}: No such file or directory\n"
    assert conftest.Result(2, "", message) == result


def documented() -> dict[str, str]:
    """The sections of docs/cli.md by command."""
    text = (ROOT / "docs" / "cli.md").read_text()
    parts = re.split(r"^## `prunella (\w+)[^`]*`\n", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_every_command_is_documented() -> None:
    """The reference has a section for each command, and for no other."""
    assert sorted(COMMANDS) == sorted(documented())


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_is_documented(command: str) -> None:
    """Each option and its short form appear in the command's section."""
    group = typer.main.get_command(main.app)
    found = group.commands[command]  # type: ignore[attr-defined]
    names = [name for parameter in found.params for name in parameter.opts if name[0] == "-"]
    section = documented()[command]

    assert [] == [name for name in names if f"`{name}`" not in section]


def test_exit_codes_are_documented() -> None:
    """The meaning of 0, 1 and 2 is in the reference."""
    text = (ROOT / "docs" / "cli.md").read_text()

    assert all(f"| {code} |" in text for code in (0, 1, 2))


AGES = {
    0: "0s",
    119: "119s",
    120: "2m",
    7199: "119m",
    7200: "2h",
    7260 + 3600: "3h1m",
    47 * 3600: "47h",
    48 * 3600: "2d",
    -5: "0s",
}


@pytest.mark.parametrize("seconds", AGES)
def test_ages_are_short(seconds: int) -> None:
    """Two units at most, as kubectl shows them; a clock that is behind shows 0s."""
    then = fakes.NOW - datetime.timedelta(seconds=seconds)

    assert AGES[seconds] == terminal.age(then, fakes.NOW)


def test_long_words_are_never_cut() -> None:
    """A name that is longer than the page stays whole, to be copied."""
    name = "x" * 150
    written = page.Page()
    written.fact("name", name)
    console = terminal.out()
    with console.capture() as captured:
        written.print(console)

    assert name in captured.get()
