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
echo "demo: what ResNet-50 is"
$build/bin/weft inspect "$models/light_resnet50.onnx"
echo "demo: what became of its nodes: kernels, and the first of each kernel's nodes"
$build/bin/weft compile "$models/light_resnet50.onnx" --emit=kernel -o $build/resnet50.kernel.mlir
grep -oE 'dispatch.kernel @[a-z_0-9]+ .*nodes \[[^]]*' $build/resnet50.kernel.mlir |
  sed -E 's/dispatch.kernel @([a-z_0-9]+) .*nodes \[/  \1: /' | cut -c1-120
echo "demo: each model against its official output"
PYTHONPATH=$build/python build/venv/bin/python test/Backend/suite.py --only '^light/'
echo "demo: ResNet-50 and VGG19 timed"
for model in resnet50 vgg19; do
  $build/bin/weft bench "$models/light_$model.onnx" --seconds 3
done
