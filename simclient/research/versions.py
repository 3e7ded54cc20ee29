"""The versions that decide what a run computes, for the metadata of files and for people."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

__all__ = ["installed_versions"]

_PACKAGES = ("simclient", "trio", "solders")
"""solders holds the SVM of the embedded simulator; it is there only if that was installed."""


def installed_versions() -> dict[str, str]:
    """Return the versions of simclient, Python, trio and, where it is installed, solders."""
    versions = {"simclient": version(_PACKAGES[0]), "python": platform.python_version()}
    for package in _PACKAGES[1:]:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return versions
