"""Prints the gradients of the functions in test/Gradient as cases of weft-test-kernels, so that what the rules emit is compiled.

Usage: gradients.py path/to/weft-opt
"""

import pathlib
import re
import subprocess
import sys


def main():
    folder = pathlib.Path(__file__).parents[1] / "Gradient"
    for path in sorted(folder.glob("*.mlir")):
        if "-verify-diagnostics" in path.read_text().split("\n", 1)[0]:
            continue
        with_cases = [sys.argv[1], str(path), "--weft-test-gradient=cases=true", "-o", "/dev/stderr"]
        done = subprocess.run(with_cases, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        if done.returncode != 0:
            sys.exit(done.stderr)
        module = done.stderr.strip().removeprefix("module {").removesuffix("}")
        print(re.sub(r"func\.func @", f"func.func @{path.stem.replace('-', '_')}.", module))


if __name__ == "__main__":
    main()
