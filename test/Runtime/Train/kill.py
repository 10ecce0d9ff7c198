"""A run that is killed at any moment goes on from its last checkpoint and comes
to the same state, bit by bit; Ctrl-C ends it in order, twice at once; and a
terminal sees how far it is.

    kill.py PROGRAM    the program that loop.cpp is
"""

import os
import pathlib
import pty
import random
import re
import signal
import subprocess
import sys
import tempfile
import time


def finish(command: list[str]) -> str:
    """Runs to the end and returns what is printed of the state."""
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return re.search(r"^state (\w+)$", done.stdout, re.MULTILINE)[1]


def wait_for(condition, process) -> None:
    """Until the condition holds; fails if the program ends before."""
    deadline = time.monotonic() + 20
    while not condition():
        assert process.poll() is None, "the program has ended"
        assert time.monotonic() < deadline, "nothing happens"
        time.sleep(0.001)


def checkpoints(folder: pathlib.Path) -> list[pathlib.Path]:
    return sorted(folder.glob("update-*.safetensors"))


def kill_and_resume(program: str, folder: pathlib.Path, wanted: str) -> None:
    moments = random.Random(1)
    kills = 0
    while True:
        before = checkpoints(folder)
        resume = ["--resume"] if before else []
        process = subprocess.Popen(
            [program, folder, "--slow", *resume],
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            # Each part gets a checkpoint further at least.
            wait_for(lambda: checkpoints(folder)[-1:] != before[-1:]
                     or process.poll() is not None, process)  # fmt: skip
            time.sleep(moments.random() * 0.03)
        except AssertionError:
            pass
        process.kill()
        output, _ = process.communicate()
        if process.returncode == 0:
            break
        assert process.returncode == -signal.SIGKILL, process.returncode
        kills += 1
    assert kills >= 5, f"only {kills} kills"
    state = re.search(r"^state (\w+)$", output, re.MULTILINE)[1]
    assert state == wanted, f"after {kills} kills: {state}, wanted {wanted}"
    assert len(checkpoints(folder)) == 2
    rows = pathlib.Path(f"{folder}.csv").read_text().splitlines()[1:]
    updates = [int(row.split(",")[0]) for row in rows if ",train," in row]
    assert updates == list(range(1, 79)), updates
    epochs = [int(row.split(",")[1]) for row in rows if ",validation," in row]
    assert epochs == list(range(1, 7)), epochs
    print(f"killed {kills} times: the same state")


def interrupt(program: str, folder: pathlib.Path, wanted: str) -> None:
    process = subprocess.Popen(
        [program, folder, "--slow"], stdout=subprocess.PIPE, text=True
    )
    wait_for(lambda: checkpoints(folder), process)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=20)
    assert process.returncode == 3, process.returncode
    assert re.search(r"stopped after update \d+; saved as", output), output
    assert finish([program, folder, "--resume"]) == wanted
    print("interrupted: the same state")


def show_progress(program: str, folder: pathlib.Path) -> None:
    """On a terminal one line is overwritten; elsewhere lines follow."""
    leader, follower = pty.openpty()
    process = subprocess.Popen([program, folder, "--slow"], stdout=follower)
    os.close(follower)
    output = b""
    try:
        while part := os.read(leader, 4096):
            output += part
    except OSError:
        pass  # the other side is closed
    os.close(leader)
    assert process.wait() == 0
    line = rb"\r\x1b\[Kepoch \d/6  batch \d+/13  loss [\d.]+  \d+ samples/s  \d+ s left"
    assert re.search(line, output), output
    assert output.count(b"\r\n") == 6 + 1, output
    print("progress on a terminal: shown")


def interrupt_twice(program: str, folder: pathlib.Path) -> None:
    process = subprocess.Popen(
        [program, folder, "--slow"], stdout=subprocess.DEVNULL
    )
    wait_for(lambda: checkpoints(folder), process)
    # The first is only noted where both come within an update.
    while process.poll() is None:
        process.send_signal(signal.SIGINT)
    assert process.returncode in (-signal.SIGINT, 3), process.returncode
    print("interrupted twice: ended")


def main() -> None:
    program = sys.argv[1]
    with tempfile.TemporaryDirectory() as name:
        root = pathlib.Path(name)
        wanted = finish([program, root / "whole"])
        kill_and_resume(program, root / "killed", wanted)
        interrupt(program, root / "interrupted", wanted)
        interrupt_twice(program, root / "twice")
        show_progress(program, root / "terminal")


if __name__ == "__main__":
    main()
