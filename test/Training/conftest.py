"""Lets tests import the module that makes the data of Peers."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent / "Peers"))
