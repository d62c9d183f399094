"""How JupyterLab reads and saves notebooks here: `python start.py lab` names this class.

JupyterLab compares the `language_info` of an opened notebook with the kernel's, whole, and marks it
unsaved where they differ. Notebooks are committed without the version of Python, on which their
readers need not agree; so it is put in when one is opened, and left out when one is saved.
"""

from __future__ import annotations

import platform
from typing import Any

from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager


class UnversionedNotebooks(AsyncLargeFileManager):
    """Files as ever, but no notebook's file holds the version of the Python that ran it."""

    async def get(self, path: str, content: bool = True, **options: Any) -> dict[str, Any]:
        """A file, or a notebook with the version of this Python."""
        model = await super().get(path, content, **options)
        about = language_of(model)
        if about.get("name") == "python":
            about["version"] = platform.python_version()
        return model

    async def save(self, model: dict[str, Any], path: str = "") -> dict[str, Any]:
        """Write a file, or a notebook without the version."""
        language_of(model).pop("version", None)
        return await super().save(model, path)


def language_of(model: dict[str, Any]) -> dict[str, Any]:
    """`language_info` of a notebook that a server reads or saves, itself; {} for anything else."""
    notebook = model.get("content") if model.get("type") == "notebook" else None
    return ((notebook or {}).get("metadata") or {}).get("language_info") or {}
