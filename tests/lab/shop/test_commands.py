"""What a container's command comes to."""

from __future__ import annotations

from typing import Any

import pytest

from lab.shop import commands, profiles
from lab.shop.commands import FOREVER

CART = "registry.example/shop/cart:1.4.2"
READY = {"VALKEY_ADDR": "valkey:6379"}


def _plan(image: str, variables: dict[str, str] | None = None, **fields: Any) -> commands.Program:
    pulled = profiles.pull(image)
    assert isinstance(pulled, profiles.Image)
    found = READY if variables is None else variables
    return commands.plan(pulled, {"image": image, **fields}, found)


SERVES = [
    pytest.param({}, {}, 8080, id="the image's own command"),
    pytest.param({"command": ["/app/cart"]}, {}, 8080, id="named"),
    pytest.param({"command": ["/bin/sh", "-c", "exec /app/cart"]}, {}, 8080, id="by a shell"),
    pytest.param({"command": ["sh", "-c", "sleep 1 && /app/cart"]}, {}, 8080, id="after a while"),
    pytest.param({"args": ["--port=9000"]}, {}, 9000, id="flag"),
    pytest.param({"args": ["--port", "9000"]}, {}, 9000, id="flag and value"),
    pytest.param({"args": ["--listen=:9001"]}, {}, 9001, id="address"),
    pytest.param({}, {"PORT": "9002"}, 9002, id="variable"),
    pytest.param({"args": ["--port=$(P)"]}, {"P": "9003"}, 9003, id="reference to a variable"),
]


@pytest.mark.parametrize(("fields", "variables", "port"), SERVES)
def test_it_serves(fields: dict[str, Any], variables: dict[str, str], port: int) -> None:
    """The shop's program runs and listens on this port."""
    program = _plan(CART, {**READY, **variables}, **fields)

    assert program.profile is not None
    assert (program.profile.name, program.port, program.after) == ("cart", port, FOREVER)


ENDS = [
    pytest.param({}, {"VALKEY_ADDR": ""}, 1, "VALKEY_ADDR is not set", id="a variable is missing"),
    pytest.param({}, {"PORT": "http"}, 1, "invalid PORT", id="port is no number"),
    pytest.param({}, {"PORT": "0"}, 1, "invalid PORT", id="port 0"),
    pytest.param({}, {"VALKEY_POOL_SIZE": "many"}, 1, "is no number", id="pool is no number"),
    pytest.param({"args": ["--prot=1"]}, {}, 2, "--prot", id="unknown flag"),
    pytest.param({"command": ["sh", "-c", "exit 7"]}, {}, 7, "", id="exit"),
    pytest.param({"command": ["sh", "-c", "false; exit"]}, {}, 1, "", id="exit with the last code"),
    pytest.param({"command": ["sh", "-c", "cartd"]}, {}, 127, "cartd: not found", id="in a shell"),
    pytest.param({"command": ["true"]}, {}, 0, "", id="true"),
    pytest.param({"command": ["false"]}, {}, 1, "", id="false"),
]


@pytest.mark.parametrize(("fields", "variables", "code", "message"), ENDS)
def test_it_ends(
    fields: dict[str, Any], variables: dict[str, str], code: int, message: str
) -> None:
    """It exits with this code, and says why."""
    program = _plan(CART, {**READY, **variables}, **fields)

    assert program.after < FOREVER
    assert program.code == code
    assert message in program.message


@pytest.mark.parametrize(
    ("command", "message"),
    [
        pytest.param(["cartd"], "executable file not found in $PATH", id="name"),
        pytest.param(["/app/cartd"], "no such file or directory", id="path"),
    ],
)
def test_it_cannot_start(command: list[str], message: str) -> None:
    """The runtime finds no such program."""
    assert message in str(_plan(CART, command=command).start_error)


WAITS = [
    pytest.param(
        ["sh", "-c", "until nc -z db.x 5432; do sleep 1; done"], "db.x:5432", True, id="nc"
    ),
    pytest.param(
        ["sh", "-c", "while ! wget -q http://web.x:80/; do sleep 1; done"],
        "web.x:80",
        True,
        id="wget",
    ),
    pytest.param(["nc", "-z", "db.x", "5432"], "db.x:5432", False, id="once"),
    pytest.param(["curl", "-f", "http://web.x/ready"], "web.x:80", False, id="URL without a port"),
]


@pytest.mark.parametrize(("command", "address", "again"), WAITS)
def test_it_waits_for_an_address(command: list[str], address: str, again: bool) -> None:
    """As init containers do."""
    assert _plan("busybox:1.37", command=command).waits_for == (address, again)


@pytest.mark.parametrize(
    ("image", "command", "after"),
    [
        pytest.param("busybox:1.37", [], 0, id="a shell without input"),
        pytest.param("busybox:1.37", ["sleep", "5"], 5, id="sleep"),
        pytest.param("busybox:1.37", ["sh", "-c", "sleep 2; sleep 1m"], 62, id="one after another"),
        pytest.param("busybox:1.37", ["sleep", "infinity"], FOREVER, id="sleep for ever"),
        pytest.param("busybox:1.37", ["tail", "-f", "/dev/null"], FOREVER, id="tail"),
        pytest.param("busybox:1.37", ["sh", "-c", "while true; do date; done"], FOREVER, id="loop"),
        pytest.param("nginx:1.29", [], FOREVER, id="server"),
    ],
)
def test_how_long_a_tool_runs(image: str, command: list[str], after: float) -> None:
    """Seconds until it exits."""
    fields = {"command": command} if command else {}

    assert _plan(image, **fields).after == after


def test_stress_burns_and_takes_what_it_says() -> None:
    """Cores and bytes."""
    program = _plan("stress-ng:0.19", command=["stress-ng", "--cpu", "2", "--vm-bytes", "1G"])

    assert (program.burns, program.takes) == (2.0, 2.0**30)


PULLS = [
    pytest.param("registry.example/shop/cart:1.4.2", True, id="a release"),
    pytest.param("registry.example/shop/cart:1.5.9-slow", True, id="a bad release"),
    pytest.param("registry.example/shop/cart:1.5.0-odd", False, id="unknown suffix"),
    pytest.param("registry.example/shop/cart:1.6.0", False, id="unknown tag"),
    pytest.param("registry.example/shop/cart", False, id="latest"),
    pytest.param("registry.exmaple/shop/cart:1.4.2", False, id="unknown registry"),
    pytest.param("registry.example/shop/basket:1.4.2", False, id="unknown program"),
    pytest.param("docker.io/library/busybox:1.37", True, id="tool"),
    pytest.param("busybox", True, id="tool without a tag"),
    pytest.param("busybox:does-not-exist", False, id="tool with an unknown tag"),
]


@pytest.mark.parametrize(("reference", "there"), PULLS)
def test_pull(reference: str, there: bool) -> None:
    """Which images the registry has; the refusal is containerd's and names the image."""
    found = profiles.pull(reference)

    assert there == isinstance(found, profiles.Image)
    assert there or f"{reference}: not found" in str(found)
