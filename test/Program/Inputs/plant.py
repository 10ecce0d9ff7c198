"""Makes one kernel of a module of stage `kernel` wrong: turns the first
addition of floats in the kernel's body into a subtraction.

    plant.py KERNEL FROM TO
"""

import sys

kernel, source, target = sys.argv[1:]
lines = open(source).read().split("\n")
begin = next(i for i, line in enumerate(lines)
             if f"func.func private @{kernel}_body" in line)
at = next(i for i in range(begin, len(lines)) if "arith.addf" in lines[i])
lines[at] = lines[at].replace("arith.addf", "arith.subf")
open(target, "w").write("\n".join(lines))
