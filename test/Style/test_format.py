"""Sources are as clang-format 22 writes them."""

import shutil
import subprocess

import pytest
from style import tracked


def test_clang_format():
    tool = shutil.which("clang-format-22")
    if not tool:
        pytest.skip("there is no clang-format-22")
    done = subprocess.run(
        [tool, "--dry-run", "-Werror", *tracked(".cpp", ".h", ".c")],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
