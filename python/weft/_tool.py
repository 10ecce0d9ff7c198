"""The command `weft` of an installed package."""

import os
import pathlib
import sys


def main() -> None:
    """Becomes the program that lies beside this module."""
    program = os.fspath(pathlib.Path(__file__).parent / "bin" / "weft")
    os.execv(program, [program, *sys.argv[1:]])
