#!/usr/bin/env bash
# Sets up, builds, and shows Weft at work on the real architectures that come
# inside the onnx package, with their official expected outputs.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup.sh

export CCACHE_BASEDIR=$PWD CCACHE_NOHASHDIR=1
export CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
build=build/dev
echo "demo: building"
mkdir -p $build
cmake --preset dev >$build/configure.log || { cat $build/configure.log; exit 1; }
cmake --build --preset dev --target weft WeftPython WeftPythonSources >$build/build.log 2>&1 ||
  { grep -E -A20 'FAILED|error:' $build/build.log | head -100; exit 1; }

models=$(build/venv/bin/python -c 'import onnx, os; print(os.path.dirname(onnx.__file__))')/backend/test/data/light
echo "demo: what is in a model: weft inspect light_squeezenet.onnx"
$build/bin/weft inspect "$models/light_squeezenet.onnx"
echo
echo "demo: real architectures, compiled here, against ONNX's official outputs"
PYTHONPATH=$build/python build/venv/bin/python scripts/demo.py
echo
echo "demo: a program of its own: weft compile, what it needs, weft bench"
$build/bin/weft compile "$models/light_squeezenet.onnx" -o $build/squeezenet.so
ldd $build/squeezenet.so
$build/bin/weft bench $build/squeezenet.so --seconds 2
echo
echo "demo: an untrained ONNX file, trained on handwritten digits: weft train"
PYTHONPATH=$build/python build/venv/bin/python scripts/digits.py $build/bin/weft $build/digits
