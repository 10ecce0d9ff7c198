"""Lets tests import what makes the data of Peers, and of the demo."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent / "Peers"))
sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "scripts"))
