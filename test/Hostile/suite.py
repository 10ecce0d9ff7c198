"""Gives weft faulty and hostile models and inputs, and checks that each is
refused with one error that says what is wrong where, or taken if it is only odd.

    build/venv/bin/python test/Hostile/suite.py --bin build/dev/bin
"""

from __future__ import annotations

import argparse
import concurrent.futures
import os
import pathlib
import re
import resource
import subprocess
import sys
import tempfile

import case
import files
import graphs
import values
from mutants import run_mutants

# What a row may take. Sanitizers need more of both.
SECONDS = 60
BYTES = 8 << 30

ERROR = re.compile(rb"^(?:.*: )?error: (.*)$", re.MULTILINE)


def limit() -> None:
    if not os.environ.get("WEFT_SANITIZED"):
        resource.setrlimit(resource.RLIMIT_AS, (BYTES, BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def start(command: list[str], folder: pathlib.Path) -> subprocess.CompletedProcess:
    return subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, cwd=folder,
        timeout=SECONDS, preexec_fn=limit,
    )  # fmt: skip


def judge(row: case.Case, done: subprocess.CompletedProcess, folder: pathlib.Path) -> list[str]:
    """What is wrong with the answer."""
    wrong = []
    if done.returncode != row.exit:
        wrong.append(f"exit code {done.returncode}, wanted {row.exit}")
    # That memory was asked for in vain is no finding: what weft makes of it is
    # what the row is about.
    spoken = re.sub(rb"(?m)^.*WARNING: AddressSanitizer failed to allocate.*$", b"", done.stderr)
    if b"Sanitizer" in spoken or b"runtime error:" in spoken:
        wrong.append("a sanitizer speaks")
    errors = [line.decode(errors="replace") for line in ERROR.findall(done.stderr)]
    if len(errors) != bool(row.code):
        wrong.append(f"{len(errors)} errors")
    for error in errors:
        if not error.startswith(row.code + ": "):
            wrong.append(f"the code is not {row.code or 'none'}")
    text = (done.stderr + done.stdout).decode(errors="replace")
    wrong += [f"does not say {part!r}" for part in row.says if part not in text]
    # Nothing may be left of outputs that did not come about.
    left = [str(p.relative_to(folder)) for p in folder.glob("out/*")]
    if row.code and left:
        wrong.append(f"left {left} behind")
    return wrong


def run_row(row: case.Case, bin: pathlib.Path) -> tuple[case.Case, list[str], str]:
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        inside = folder / "inside"
        inside.mkdir()
        args = [arg.replace("{}", str(inside)) for arg in row.make(inside)]
        try:
            done = start([str(bin / "weft"), *args], inside)
        except subprocess.TimeoutExpired:
            return row, [f"ran for more than {SECONDS} s"], ""
        said = done.stderr.decode(errors="replace")
        return row, judge(row, done, inside), said


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--bin", type=pathlib.Path, required=True, help="folder of the built tools")
    parser.add_argument("--only", default="", help="rows whose names match this regular expression")
    parser.add_argument("--show", action="store_true", help="print what weft says to each row")
    parser.add_argument("--mutants", type=int, default=300, help="damaged copies of sound models")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    flags = parser.parse_args()
    flags.bin = flags.bin.resolve()

    rows = [row for row in case.CASES if re.search(flags.only, row.name)]
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(flags.jobs) as pool:
        for row, wrong, said in pool.map(lambda row: run_row(row, flags.bin), rows):
            failed += bool(wrong)
            if wrong or flags.show:
                print(f"{'FAIL' if wrong else 'ok'} {row.name}: {'; '.join(wrong)}")
                print("".join(f"    {line[:600]}\n" for line in said.splitlines()[:12]), end="")
                sys.stdout.flush()
    passed = len(rows) - failed
    if flags.mutants and not flags.only:
        survived, wrong = run_mutants(flags.bin, flags.mutants)
        passed += survived
        failed += len(wrong)
        print("".join(f"FAIL {text}\n" for text in wrong), end="")
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
