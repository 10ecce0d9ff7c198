"""Checks that kernels make good use of shared memory: `wavefronts.py COUNTERS`, of the fake driver."""

import json
import sys

BOUND = 1.1  # times the wavefronts that would do if no two words shared a bank
with open(sys.argv[1]) as file:
    kernels = json.load(file)
used = {name: counts for name, counts in kernels.items() if counts["ideal_shared_wavefronts"]}
worst = {name: counts["shared_wavefronts"] / counts["ideal_shared_wavefronts"] for name, counts in used.items()}
for name, ratio in worst.items():
    if ratio > BOUND:
        print(f"{name}: {ratio:.3f} times the ideal number of wavefronts")
print(f"{len(used)} kernels, {sum(ratio <= BOUND for ratio in worst.values())} within the bound")
