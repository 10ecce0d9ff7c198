"""Interrupts a command as soon as it has begun to write a file into a folder,
and checks that nothing stays there:

    interrupt.py FOLDER COMMAND...
"""

import os
import shutil
import signal
import subprocess
import sys
import time

folder, command = sys.argv[1], sys.argv[2:]
for attempt in range(5):
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    # The signal may be ignored here, which children inherit.
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    while process.poll() is None and not os.listdir(folder):
        time.sleep(0.0005)
    process.send_signal(signal.SIGINT)
    errors = process.communicate(timeout=60)[1]
    code = process.returncode
    left = os.listdir(folder)
    if code == -signal.SIGINT:
        sys.exit(f"left {left}" if left else print("interrupted, nothing left"))
    # It was done before the signal came.
    if code != 0:
        sys.exit(f"exit code {code}: {errors}")
sys.exit("it was always too fast")
