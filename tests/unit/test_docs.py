"""What the documentation says is true where a program can tell: links, reasons, defaults."""

from __future__ import annotations

import enum
import pathlib
import re
from collections.abc import Iterator

import pydantic
import pytest
import yaml

from prunella import settings
from prunella.api import policy, reasons, types
from prunella.demo import picture

ROOT = pathlib.Path(__file__).parents[2]
FOLDERS = ("*.md", "docs/**/*.md", "playbooks/**/*.md", "tests/**/*.md", "lab/**/*.md")
PAGES = sorted(path for folder in FOLDERS for path in ROOT.glob(folder))
TEXTS = {str(path.relative_to(ROOT)): path.read_text() for path in PAGES}
LINK = re.compile(r"\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
EXTERNAL = ("http://", "https://", "mailto:")


def _slug(heading: str) -> str:
    """The anchor that GitHub makes of a heading."""
    kept = re.sub(r"[^\w\- ]", "", heading.strip().lower())
    return kept.replace(" ", "-")


def _anchors(text: str) -> set[str]:
    return {_slug(each) for each in re.findall(r"^#+ (.+)$", FENCE.sub("", text), re.MULTILINE)}


@pytest.mark.parametrize("page", TEXTS)
def test_links_lead_somewhere(page: str) -> None:
    """A relative link leads to a file of the repository, and to a heading if it names one."""
    broken = []
    for link in LINK.findall(FENCE.sub("", TEXTS[page])):
        if link.startswith(EXTERNAL):
            continue
        name, _, anchor = link.partition("#")
        path = (ROOT / page).parent / name if name else ROOT / page
        if not path.exists() or (anchor and anchor not in _anchors(path.read_text())):
            broken.append(link)

    assert [] == broken


def test_every_page_is_linked_from_the_readme() -> None:
    """Nothing is written that a newcomer does not find."""
    linked = {link.partition("#")[0].rstrip("/") for link in LINK.findall(TEXTS["README.md"])}
    pages = {str(path.relative_to(ROOT)) for path in ROOT.glob("docs/*.md")}

    assert set() == {*pages, "docs/design", "playbooks", "CHANGELOG.md"} - linked


SECTIONS = {
    "Why nothing was done": reasons.Refused,
    "Why a verdict is Unknown": reasons.Doubt,
    "What became of an action": reasons.Phase,
}


@pytest.mark.parametrize(("heading", "words"), SECTIONS.items(), ids=SECTIONS)
def test_every_reason_is_explained(heading: str, words: type[enum.StrEnum]) -> None:
    """Each word that a person can meet has a row: when, and what to do. No other word has one."""
    section = TEXTS["docs/reasons.md"].partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| (.*) \| (.*) \|$", section, re.MULTILINE)

    assert sorted(each.value for each in words) == sorted(name for name, *_ in rows)
    assert [] == [name for name, when, help_ in rows if not (when.strip() and help_.strip())]


def _defaults(model: type[pydantic.BaseModel]) -> Iterator[tuple[str, str]]:
    """The fields of a model and of those in it, as people write them, with their defaults."""
    for name, field in model.model_fields.items():
        for inner in _models(field.annotation):
            yield from _defaults(inner)
        value = field.get_default(call_default_factory=True)
        if isinstance(value, bool | int | float | str | types.Duration):
            yield field.alias or name, f"{value:g}" if isinstance(value, float) else str(value)


def _models(annotation: object) -> Iterator[type[pydantic.BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, pydantic.BaseModel):
        yield annotation
    for inner in getattr(annotation, "__args__", ()):
        yield from _models(inner)


def _known() -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for model in (policy.RemediationPolicySpec, settings.Settings):
        for name, value in _defaults(model):
            found.setdefault(name, set()).add(value)
    return found


WRITTEN = re.compile(r"`(?:\w+\.)*(\w+)`,? \(([\d.]+\w*%?|[A-Z]\w+)\)")
"""A field with its default beside it, as the pages write it: `cooldown` (10m)."""


def test_defaults_are_those_of_the_models() -> None:
    """A number in parentheses behind a field is its default, on every page the same."""
    known = _known()
    wrong, seen = [], set()
    for page, text in TEXTS.items():
        for name, value in WRITTEN.findall(text):
            if name in known:
                seen.add(name)
                if value not in known[name]:
                    wrong.append((page, name, value, known[name]))

    assert [] == wrong
    assert {"escalateAfter", "maxSameRemedyPerDay", "cooldown", "maxPerHour"} <= seen


def test_defaults_of_the_chart_are_those_of_the_models() -> None:
    """Limits that the chart writes are those without a chart."""
    values = yaml.safe_load((ROOT / "charts" / "prunella" / "values.yaml").read_text())
    model = settings.Limits()

    assert model.model_dump(by_alias=True) == values["limits"]


def test_the_picture_is_of_this_demo() -> None:
    """The README shows what `make demo` shows; `make picture` draws it anew."""
    assert picture.render() == (ROOT / "docs" / "demo.svg").read_text()
