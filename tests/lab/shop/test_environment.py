"""What a container finds when it starts: variables and files."""

from __future__ import annotations

from typing import Any

import pytest

from lab.shop import environment, profiles, volumes
from tests.lab.shop.cluster import picture, pod

CONFIG = {"metadata": {"name": "config", "namespace": "shop-core"}, "data": {"a": "1", "b": "2"}}
SECRET = {"metadata": {"name": "secret", "namespace": "shop-core"}, "data": {"key": "c2VjcmV0"}}
WORLD = picture(ConfigMap=[CONFIG], Secret=[SECRET])
POD = pod("cart", serviceAccountName="cart")


def _ref(kind: str, name: str, key: str, **more: Any) -> dict[str, Any]:
    return {"name": "X", "valueFrom": {kind: {"name": name, "key": key, **more}}}


VALUES = [
    pytest.param({"env": [{"name": "X", "value": "1"}]}, {"X": "1"}, id="value"),
    pytest.param({"env": [{"name": "X"}]}, {"X": ""}, id="no value"),
    pytest.param({"env": [_ref("configMapKeyRef", "config", "a")]}, {"X": "1"}, id="ConfigMap"),
    pytest.param({"env": [_ref("secretKeyRef", "secret", "key")]}, {"X": "secret"}, id="Secret"),
    pytest.param({"env": [_ref("configMapKeyRef", "none", "a", optional=True)]}, {}, id="optional"),
    pytest.param(
        {"envFrom": [{"prefix": "P_", "configMapRef": {"name": "config"}}]},
        {"P_a": "1", "P_b": "2"},
        id="all of a ConfigMap",
    ),
    pytest.param(
        {"envFrom": [{"configMapRef": {"name": "config"}}], "env": [{"name": "a", "value": "9"}]},
        {"a": "9", "b": "2"},
        id="env goes before envFrom",
    ),
    pytest.param(
        {"env": [{"name": "A", "value": "1"}, {"name": "B", "value": "$(A)-$(C)"}]},
        {"A": "1", "B": "1-$(C)"},
        id="references to what is known",
    ),
    pytest.param(
        {"env": [{"name": "X", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}]},
        {"X": "shop-node-1"},
        id="field of the pod",
    ),
]


@pytest.mark.parametrize(("container", "expected"), VALUES)
def test_variables(container: dict[str, Any], expected: dict[str, str]) -> None:
    """Every variable with its value."""
    assert expected == environment.resolve(WORLD, POD, container)


ERRORS = [
    pytest.param(
        {"env": [_ref("configMapKeyRef", "none", "a")]},
        'configmap "none" not found',
        id="ConfigMap",
    ),
    pytest.param(
        {"env": [_ref("configMapKeyRef", "config", "z")]},
        "couldn't find key z in ConfigMap shop-core/config",
        id="key",
    ),
    pytest.param(
        {"envFrom": [{"secretRef": {"name": "none"}}]},
        'secret "none" not found',
        id="all of a Secret",
    ),
]


@pytest.mark.parametrize(("container", "message"), ERRORS)
def test_configuration_errors(container: dict[str, Any], message: str) -> None:
    """In the kubelet's words."""
    with pytest.raises(environment.ConfigError) as error:
        environment.resolve(WORLD, POD, container)

    assert message == str(error.value)


MOUNTS = [
    pytest.param([], None, id="none"),
    pytest.param([{"name": "v", "configMap": {"name": "config"}}], None, id="ConfigMap"),
    pytest.param(
        [{"name": "v", "configMap": {"name": "x"}}], 'configmap "x" not found', id="absent"
    ),
    pytest.param(
        [{"name": "v", "configMap": {"name": "x", "optional": True}}], None, id="absent, optional"
    ),
    pytest.param(
        [{"name": "v", "secret": {"secretName": "x"}}], 'secret "x" not found', id="absent Secret"
    ),
    pytest.param(
        [{"name": "v", "configMap": {"name": "config", "items": [{"key": "z", "path": "z"}]}}],
        "non-existent config key: z",
        id="absent key",
    ),
    pytest.param(
        [{"name": "v", "persistentVolumeClaim": {"claimName": "x"}}],
        'persistentvolumeclaim "x" not found',
        id="absent claim",
    ),
]


@pytest.mark.parametrize(("found", "message"), MOUNTS)
def test_volumes(found: list[dict[str, Any]], message: str | None) -> None:
    """What keeps a pod's volumes from being mounted."""
    problem = volumes.unmountable(WORLD, pod("x", volumes=found))

    assert (problem is None) == (message is None)
    assert message is None or message in str(problem)


PROFILE = profiles.Profile("x", reads=("/etc/x/a",), writes=("/data",))
MOUNT = {"name": "v", "mountPath": "/etc/x"}
FILES = [
    pytest.param({"volumeMounts": [MOUNT]}, None, id="there"),
    pytest.param({}, "open /etc/x/a: no such file", id="not mounted"),
    pytest.param(
        {"volumeMounts": [{**MOUNT, "mountPath": "/etc/y"}]}, "open /etc/x/a", id="elsewhere"
    ),
    pytest.param(
        {"volumeMounts": [MOUNT], "securityContext": {"readOnlyRootFilesystem": True}},
        "mkdir /data: read-only",
        id="read-only root",
    ),
    pytest.param(
        {
            "volumeMounts": [MOUNT, {"name": "d", "mountPath": "/data", "readOnly": True}],
        },
        "mkdir /data: read-only",
        id="read-only mount",
    ),
    pytest.param(
        {
            "volumeMounts": [MOUNT, {"name": "d", "mountPath": "/data"}],
            "securityContext": {"readOnlyRootFilesystem": True},
        },
        None,
        id="mount that can be written",
    ),
]


@pytest.mark.parametrize(("container", "message"), FILES)
def test_files_that_a_program_needs(container: dict[str, Any], message: str | None) -> None:
    """What it says before it exits."""
    owner = pod("x", volumes=[{"name": "v", "configMap": {"name": "config"}}, {"name": "d"}])
    problem = volumes.unusable(WORLD, owner, container, PROFILE)

    assert (problem is None) == (message is None)
    assert message is None or message in str(problem)
