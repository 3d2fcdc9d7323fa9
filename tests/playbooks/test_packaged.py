"""The playbooks come with the package and the image."""

from __future__ import annotations

import pathlib
import subprocess
import sys
import zipfile

from prunella.cli.playbooks import shelf

ROOT = pathlib.Path(__file__).parents[2]


def test_the_wheel_holds_them(tmp_path: pathlib.Path) -> None:
    """Where the installed command looks: in the package, each with its policy."""
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)  # noqa: S603 - our own
    (wheel,) = tmp_path.glob("*.whl")
    held = set(zipfile.ZipFile(wheel).namelist())

    assert set() == {f"prunella/playbooks/{name}/policy.yaml" for name in shelf.names()} - held
    assert "prunella/cli/main.py" in held
    assert not [name for name in held if name.startswith(("playbooks/", "tests/"))]


def test_the_image_is_built_with_them() -> None:
    """They are sent to the builder, which installs the package from them."""
    assert "!playbooks" in (ROOT / ".dockerignore").read_text().splitlines()
    assert "COPY playbooks ./playbooks" in (ROOT / "Dockerfile").read_text().splitlines()
