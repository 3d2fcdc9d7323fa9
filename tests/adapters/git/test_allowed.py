"""URLs of owners are only written where a prefix of the settings really covers them."""

from __future__ import annotations

import pydantic
import pytest

from prunella import settings
from prunella.adapters.git import allowed

FOLDER = {"urlPrefix": "https://github.com/shop/", "mode": "push"}
WHOLE = {"urlPrefix": "https://github.com/shop/deploy", "mode": "push"}
SSH = {
    "urlPrefix": "ssh://git@github.com/shop/",
    "pushPrefix": "https://github.com/shop/",
    "mode": "push",
}
SCP = {**SSH, "urlPrefix": "git@github.com:shop/"}


@pytest.mark.parametrize(
    ("entry", "url", "expected"),
    [
        pytest.param(
            FOLDER,
            "https://github.com/shop/deploy",
            "https://github.com/shop/deploy",
            id="in the folder",
        ),
        pytest.param(
            WHOLE,
            "https://github.com/shop/deploy.git",
            "https://github.com/shop/deploy.git",
            id="whole",
        ),
        pytest.param(
            SSH, "ssh://git@github.com/shop/deploy", "https://github.com/shop/deploy", id="by ssh"
        ),
        pytest.param(
            SCP, "git@github.com:shop/deploy.git", "https://github.com/shop/deploy.git", id="as scp"
        ),
        pytest.param(WHOLE, "https://github.com/shop/deploy-evil", None, id="longer name"),
        pytest.param(FOLDER, "https://github.com/shop/../evil/deploy", None, id="up"),
        pytest.param(FOLDER, "https://github.com/shop/%2e%2e/evil", None, id="up, encoded"),
        pytest.param(FOLDER, "https://github.com/shop/deploy?x=1", None, id="query"),
        pytest.param(FOLDER, "https://github.com/shop/a@evil.example", None, id="at"),
        pytest.param(FOLDER, "https://github.com.evil.example/shop/deploy", None, id="other host"),
        pytest.param(FOLDER, "http://github.com/shop/deploy", None, id="other scheme"),
    ],
)
def test_a_prefix_covers_what_begins_with_it(
    entry: dict[str, object], url: str, expected: str | None
) -> None:
    """And nothing that only looks like it."""
    found = allowed.find([settings.GitRepository.model_validate(entry)], url)
    assert expected == (found.url if found is not None else None)


def test_a_repository_has_the_name_that_apis_use() -> None:
    """With the groups of GitLab, without `.git`."""
    entry = settings.GitRepository.model_validate({**FOLDER, "urlPrefix": "https://gl.example/"})
    assert "a/b/c" == allowed.Allowed(entry, "https://gl.example/a/b/c.git").name


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        pytest.param(
            {"urlPrefix": "git@github.com:shop/", "mode": "push"}, "pushPrefix is needed", id="ssh"
        ),
        pytest.param(
            {"urlPrefix": "https://github.com/shop/"}, "mode request needs requests", id="no api"
        ),
        pytest.param(
            {"urlPrefix": "https://me:pw@github.com/", "mode": "push"},
            "pushPrefix is needed",
            id="secret in the url",
        ),
        pytest.param({"urlPrefix": "everything", "mode": "push"}, "urlPrefix", id="no url"),
        pytest.param({**FOLDER, "branches": []}, "branches", id="no branch"),
        pytest.param({**FOLDER, "mode": "force"}, "mode", id="another mode"),
    ],
)
def test_bad_entries_are_told(entry: dict[str, object], told: str) -> None:
    """Field, and what is wrong."""
    with pytest.raises(pydantic.ValidationError, match=told):
        settings.GitRepository.model_validate(entry)
