"""What an installed package needs to train: the trainer, the tool, and the parts
for C programs."""

import json
import os
import pathlib
import shutil
import subprocess

import numpy as np
import onnx
import pytest
import weft
from textmodel import parse

TOOL = os.environ.get("WEFT_TOOL") and os.path.abspath(os.environ["WEFT_TOOL"])
C_PROGRAM = r"""
#include "weft-rt/train.h"
#include <stdio.h>
#include <stdlib.h>

static void check(weft_status status) {
  if (!status)
    return;
  fprintf(stderr, "%s\n", weft_last_error());
  exit(1);
}

int main(int argc, char **argv) {
  float x[8] = {1, 2, 3, 4, 5, 6, 7, 8}, t[4] = {1, 2, 3, 4};
  weft_tensor batch[2] = {{.data = x, .bytes = sizeof x, .dtype = WEFT_F32},
                          {.data = t, .bytes = sizeof t, .dtype = WEFT_F32}};
  weft_model *model;
  weft_trainer *trainer;
  batch[0].rank = batch[1].rank = 2;
  batch[0].dims[0] = batch[1].dims[0] = 4;
  batch[0].dims[1] = 2;
  batch[1].dims[1] = 1;
  (void)argc;
  check(weft_model_open(argv[1], &model));
  check(weft_trainer_create(model, NULL, &trainer));
  for (int i = 0; i < 20; ++i) {
    weft_tensor loss = {0};
    check(weft_step(trainer, 2, batch, 0.01f, 0, 1, &loss));
    printf("%.9g\n", *(float *)loss.data);
  }
  weft_trainer_release(trainer);
  weft_model_release(model);
  return 0;
}
"""


@pytest.fixture
def network():
    """A line through points."""
    return parse(
        """
        line (float[N, 2] x) => (float[N, 1] y)
        <float[2, 1] w = {0.5, -0.5}, float[1] b = {0}>
        { p = MatMul(x, w) y = Add(p, b) }
        """
    )


@pytest.fixture
def batch():
    x = np.arange(1, 9, dtype=np.float32).reshape(4, 2)
    return x, np.arange(1, 5, dtype=np.float32).reshape(4, 1)


def losses(path, batch, **options):
    trainer = weft.Trainer(path, loss="mse", optimizer=weft.SGD(0.01), **options)
    return trainer, trainer.fit([batch] * 20)


def test_a_trainer(network, batch, tmp_path):
    onnx.save(network, tmp_path / "line.onnx")
    trainer, got = losses(tmp_path / "line.onnx", batch)
    assert got[-1] < 0.05 * got[0]
    trainer.export(tmp_path / "tuned.onnx")
    onnx.checker.check_model(tmp_path / "tuned.onnx")
    y = weft.compile(tmp_path / "tuned.onnx")(batch[0])
    np.testing.assert_allclose(y, batch[0] @ trainer.parameters["w"] + trainer.parameters["b"], 1e-5)


def test_a_graph_for_samples(network, batch, tmp_path):
    """A trainer of halves is given doubles, and a graph that halves them."""
    halves = parse("halves (double[N, 2] raw) => (float[N, 2] x) "
                   "<double half = {0.5}> { h = Mul(raw, half) x = Cast <to = 1> (h) }")  # fmt: skip
    onnx.save(network, tmp_path / "line.onnx")
    raw = batch[0].astype(np.float64) * 2, batch[1]
    trainer, got = losses(tmp_path / "line.onnx", raw, preprocess=halves)
    assert got == losses(tmp_path / "line.onnx", batch)[1]
    trainer.export(tmp_path / "tuned.onnx")
    np.testing.assert_array_equal(
        weft.compile(tmp_path / "tuned.onnx", preprocess=True)(raw[0]),
        weft.compile(tmp_path / "tuned.onnx")(batch[0]),
    )


def test_a_step_in_a_c_program(network, batch, tmp_path):
    """The headers and the runtime of the package are all that it takes."""
    package = pathlib.Path(weft.__file__).parent
    compiler = shutil.which("cc")
    if not TOOL or not compiler or not (package / "include").is_dir():
        pytest.skip("takes WEFT_TOOL, a C compiler and an installed package")
    onnx.save(network, tmp_path / "line.onnx")
    settings = "loss=mse optimizer=sgd"
    subprocess.run(
        [TOOL, "compile", "line.onnx", "--train", settings, "-o", "step.so"],
        check=True, cwd=tmp_path,
    )  # fmt: skip
    (tmp_path / "main.c").write_text(C_PROGRAM)
    subprocess.run(
        [compiler, "-std=c11", "-Wall", "-Wextra", "-Werror", "-I", package / "include", "main.c",
         "-rdynamic", package / "lib" / "libweft-rt.a", "-lpthread", "-ldl", "-lm", "-o", "main"],
        check=True, cwd=tmp_path,
    )  # fmt: skip
    done = subprocess.run(
        [tmp_path / "main", tmp_path / "step.so"], check=True, capture_output=True, text=True
    )
    _, wanted = losses(tmp_path / "line.onnx", batch)
    assert [float(line) for line in done.stdout.split()] == pytest.approx(wanted, rel=1e-6)


def test_the_doctor(tmp_path):
    if not TOOL:
        pytest.skip("WEFT_TOOL does not name the tool")
    done = subprocess.run([TOOL, "doctor", "--json"], capture_output=True, text=True, cwd=tmp_path)
    report = json.loads(done.stdout)
    assert "error" not in report["processor"] and report["processor"]["cores"] >= 1
    assert "cpu" in report["uses"]
