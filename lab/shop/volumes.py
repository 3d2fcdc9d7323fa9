"""A pod's volumes: what keeps them from being mounted, and what a program finds in them."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from typing import Any

from lab.shop.objects import Object, Picture
from lab.shop.profiles import Profile

_OBJECT_VOLUMES = (("configMap", "ConfigMap", "name"), ("secret", "Secret", "secretName"))


def unmountable(picture: Picture, pod: Object) -> str | None:
    """Why the pod's volumes cannot be mounted, in the kubelet's words, or None."""
    namespace = pod["metadata"]["namespace"]
    for volume in pod["spec"].get("volumes") or []:
        for field, kind, key in _OBJECT_VOLUMES:
            source = volume.get(field)
            if source is None or source.get("optional"):
                continue
            found = picture.get(kind, namespace, source[key])
            prefix = f'MountVolume.SetUp failed for volume "{volume["name"]}" : '
            if found is None:
                return f'{prefix}{kind.lower()} "{source[key]}" not found'
            absent = [i["key"] for i in source.get("items") or [] if i["key"] not in _held(found)]
            if absent:
                return f"{prefix}references non-existent config key: {absent[0]}"
        claim = (volume.get("persistentVolumeClaim") or {}).get("claimName")
        if claim and picture.get("PersistentVolumeClaim", namespace, claim) is None:
            return f'persistentvolumeclaim "{claim}" not found'
    return None


def unusable(
    picture: Picture, pod: Object, container: Mapping[str, Any], profile: Profile
) -> str | None:
    """What a program misses in its file system, as it says before it exits, or None."""
    mounts = {each["mountPath"].rstrip("/"): each for each in container.get("volumeMounts") or []}
    for path in profile.reads:
        mount = mounts.get(posixpath.dirname(path)) or mounts.get(path)
        name = posixpath.basename(path)
        if mount is None or name not in set(_files(picture, pod, mount)):
            return f"open {path}: no such file or directory"
    context = container.get("securityContext") or {}
    for folder in profile.writes:
        mount = mounts.get(folder)
        closed = context.get("readOnlyRootFilesystem") if mount is None else mount.get("readOnly")
        if closed:
            return f"mkdir {folder}: read-only file system"
    return None


def _files(picture: Picture, pod: Object, mount: Mapping[str, Any]) -> Iterator[str]:
    """The names of the files that a mount shows."""
    volumes = pod["spec"].get("volumes") or []
    volume: dict[str, Any] = next((each for each in volumes if each["name"] == mount["name"]), {})
    if "subPath" in mount:
        yield posixpath.basename(mount["mountPath"])
    for field, kind, key in _OBJECT_VOLUMES:
        if (source := volume.get(field)) is None:
            continue
        found = picture.get(kind, pod["metadata"]["namespace"], source[key])
        if source.get("items"):
            yield from (each["path"] for each in source["items"])
        elif found is not None:
            yield from _held(found)


def _held(found: Object) -> list[str]:
    return [*(found.get("data") or {}), *(found.get("binaryData") or {})]
