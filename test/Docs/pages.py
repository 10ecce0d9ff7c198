"""Where the documents are."""

import os
import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / os.environ.get("WEFT_BUILD", "build/dev")


def written() -> list[pathlib.Path]:
    """Pages that people wrote."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def generated() -> list[pathlib.Path]:
    """Pages that the target mlir-doc wrote."""
    pages = sorted((BUILD / "docs").rglob("*.md"))
    assert len(pages) >= 8, "build the target mlir-doc"
    return pages
