"""Runs programs with 1, 2 and 3 threads, each twice, and compares the bits of
all outputs:

    threads.py FOLDER NAME...
"""

import os
import subprocess
import sys

folder = sys.argv[1]


def outputs(name, threads, number):
    out = os.path.join(folder, f"bits-{name}-{threads}-{number}")
    subprocess.run(["weft", "run", os.path.join(folder, name + ".so"),
                    "--inputs", os.path.join(folder, name + "_64"),
                    "--atol", "1e-5", "--threads", str(threads),
                    "--outputs", out],
                   check=True, capture_output=True)
    return {file: open(os.path.join(out, file), "rb").read()
            for file in sorted(os.listdir(out))}


for name in sys.argv[2:]:
    first = outputs(name, 1, 0)
    for threads in (1, 2, 3):
        for number in (1, 2):
            if outputs(name, threads, number) != first:
                sys.exit(f"{name}: {threads} threads give other bits")
    if not first:
        sys.exit(f"{name}: there is no output")
    print(f"{name}: the same bits")
