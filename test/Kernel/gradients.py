"""Prints the gradients of the functions in test/Gradient as cases of weft-test-kernels, so that what the rules emit is compiled.

Usage: gradients.py path/to/weft-opt [f64|f32|bf16]

The type is that of the elements, f64 as in the files by default. No function is left out in any of them; one whose op has no
gradient is there as it is.
"""

import pathlib
import re
import subprocess
import sys
import tempfile

# Ops of which a result is f32 where elements are bf16, and what is in front of that result's type where types of results are
# listed: both results of an inverse, attention's logarithms.
WIDE_RESULTS = {"weft.inverse": "", "weft.attention": ", "}

# Bounds of functions that lose digits by what they are to compute, for the mean square of the relative error. A mean of five
# numbers around 32, with a spread of 1, is off by up to 7e-6 in f32, whose sums are rounded to 2^-16, and by 1/8 in bf16, in
# which it is rounded to 1/4. So are the differences to it, of which the gradient has products of two.
BOUNDS = {("far_from_zero", "f32"): (2 * 7e-6) ** 2, ("far_from_zero", "bf16"): (2 / 8) ** 2}


def rewrite(function, element):
    """The function on elements of another type."""
    function = re.sub(r"\bf64\b|(?<=x)f64\b", element, function)
    if element == "bf16":
        for op, before in WIDE_RESULTS.items():
            if op in function:
                function = re.sub(
                    r"(->|return ).*",
                    lambda types: re.sub(rf"(?<={before})(tensor<[^>]*)bf16", r"\1f32", types[0]),
                    function,
                )
    for (name, of), bound in BOUNDS.items():
        if of == element:
            function = re.sub(rf"(@{name}\(.*) {{", rf"\1 attributes {{test.bound = {bound:.1e}}} {{", function)
    return function


def main():
    element = sys.argv[2] if len(sys.argv) > 2 else "f64"
    folder = pathlib.Path(__file__).parents[1] / "Gradient"
    for path in sorted(folder.glob("*.mlir")):
        text = path.read_text()
        if "-verify-diagnostics" in text.split("\n", 1)[0]:
            continue
        functions = [rewrite(function, element) for function in text.split("\n}\n")]
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
