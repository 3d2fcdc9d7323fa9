"""The image has what the operator may need, from locks that agree."""

from __future__ import annotations

import pathlib
import re
import tomllib

ROOT = pathlib.Path(__file__).parents[2]


def _pins(lock: str) -> dict[str, str]:
    text = (ROOT / lock).read_text()
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", text, re.MULTILINE))


def _default_lock() -> str:
    found = re.search(r"^ARG LOCK=(\S+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert found is not None
    return found[1]


def test_the_images_lock_is_the_runtimes_and_the_clouds() -> None:
    """The same pins as without clouds, and each cloud's library besides."""
    plain, image = _pins("requirements.txt"), _pins(_default_lock())
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    clouds = {
        re.split("[>=]", wanted)[0]
        for extra in ("aws", "azure", "google")
        for wanted in extras[extra]
    }
    assert plain.items() <= image.items()
    assert clouds <= set(image)


def test_tests_run_with_the_pins_of_the_image() -> None:
    """What is tested is what is shipped."""
    assert _pins(_default_lock()).items() <= _pins("requirements-dev.txt").items()


def test_the_builder_is_sent_every_lock() -> None:
    """A lock that .dockerignore holds back would fail the build."""
    sent = (ROOT / ".dockerignore").read_text().splitlines()
    assert {"!requirements.txt", f"!{_default_lock()}"} <= set(sent)
