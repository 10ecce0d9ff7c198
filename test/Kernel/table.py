"""Prints the cases of the kernel tests: `table.py FAMILY...`, or all."""

import importlib
import sys

from function import TABLE

FAMILIES = ("elementwise", "rows", "products", "packed", "attention", "movement", "programs", "sizes")

for family in sys.argv[1:] or FAMILIES:
    importlib.import_module(family).add_cases()
names = [name for name, _ in TABLE]
assert len(names) == len(set(names)), "two cases have the same name"
print("\n".join(text for _, text in TABLE))
