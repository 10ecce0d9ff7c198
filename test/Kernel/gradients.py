"""Prints the gradients of the functions in test/Gradient as cases of weft-test-kernels, so that what the rules emit is compiled.

Usage: gradients.py path/to/weft-opt [f32|bf16]

The type is that of the elements, f64 as in the files by default.
"""

import pathlib
import re
import subprocess
import sys
import tempfile

# Functions that mean nothing in the narrower types: a spread of 1 around 30 leaves
# too few digits for the bound, and inverses of bf16 and attention's logarithms are
# f32, so that these do not return what they say.
LEFT_OUT = {
    "f64": "(?!)",
    "f32": "far_from_zero",
    "bf16": "far_from_zero|weft.inverse|weft.attention",
}


def main():
    element = sys.argv[2] if len(sys.argv) > 2 else "f64"
    folder = pathlib.Path(__file__).parents[1] / "Gradient"
    for path in sorted(folder.glob("*.mlir")):
        text = path.read_text()
        if "-verify-diagnostics" in text.split("\n", 1)[0]:
            continue
        text = re.sub(r"\bf64\b|(?<=x)f64\b", element, text)
        functions = [f for f in text.split("\n}\n") if not re.search(LEFT_OUT[element], f)]
        with tempfile.TemporaryDirectory() as made:
            cases = pathlib.Path(made) / "cases.mlir"
            command = [sys.argv[1], "-", "--weft-test-gradient=cases=true", "-o", cases]
            done = subprocess.run(command, input="\n}\n".join(functions), capture_output=True, text=True)
            if done.returncode != 0:
                sys.exit(f"{path.name}: {done.stderr}")
            module = cases.read_text().strip().removeprefix("module {").removesuffix("}")
        print(re.sub(r"func\.func @", f"func.func @{path.stem.replace('-', '_')}.", module))


if __name__ == "__main__":
    main()
