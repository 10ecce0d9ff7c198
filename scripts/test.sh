#!/usr/bin/env bash
# Sets up, builds and runs all tests; the last line counts them.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup.sh

export CCACHE_BASEDIR=$PWD CCACHE_NOHASHDIR=1
export CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
build=build/dev
echo "test: building (log in $build/build.log)"
mkdir -p $build
cmake --preset dev >$build/configure.log || { cat $build/configure.log; exit 1; }
began=$SECONDS
cmake --build --preset dev >$build/build.log 2>&1 || {
  grep -E -A20 'FAILED|error:' $build/build.log | head -100
  exit 1
}
echo "test: built in $((SECONDS - began)) s"

# What code for GPUs is made with, unless there is a toolkit.
if [ -z "${CUDA_HOME:-}" ]; then
  CUDA_HOME=$(echo $PWD/build/venv/lib/python3*/site-packages/nvidia/cu13)
  export CUDA_HOME
fi

# Says what is run, and after how much time. Of stages that are said to be of
# the `gpu`, which is emulated, the time is added up.
emulated=0 gpu_since=
milliseconds() { echo $((${EPOCHREALTIME/[.,]/} / 1000)); }
stage() {
  [ -z "$gpu_since" ] || emulated=$((emulated + $(milliseconds) - gpu_since))
  gpu_since=
  if [ "$1" = gpu ]; then
    gpu_since=$(milliseconds)
    shift
  fi
  printf 'test: [%d:%02d] %s\n' $((SECONDS / 60)) $((SECONDS % 60)) "${gpu_since:+emulated GPU: }$1"
}

passed=0 failed=0 skipped=0
# Adds up what a run of tests says at its end.
count() {
  passed=$((passed + $1)) failed=$((failed + $2)) skipped=$((skipped + $3))
}
# The number before the first match of $1 in file $2, or 0.
number() { grep -oE "$1" "$2" | grep -oE '[0-9]+' | tail -1 || echo 0; }

# Runs what lit finds: a name for the log, then options that choose.
lit_tests() {
  local log=$build/$1.log kind bad=0
  shift
  "$(command -v lit-22 || echo /usr/lib/llvm-22/bin/llvm-lit)" -sv "$@" $build/test >"$log" 2>&1 ||
    grep -aE '^(FAIL|ERROR|XPASS|TIMEOUT|UNRESOLVED)|error:' "$log" | head -60 || true
  for kind in Failed Unresolved 'Timed Out' 'Unexpectedly Passed'; do
    bad=$((bad + $(number "^ *$kind *: *[0-9]+" "$log")))
  done
  count "$(number '^ *Passed *: *[0-9]+' "$log")" "$bad" \
    "$(number '^ *(Unsupported|Skipped) *: *[0-9]+' "$log")"
  [ "$(number '^ *Passed *: *[0-9]+' "$log")" -gt 0 ] || count 0 1 0
}
gpu_tests='Codegen/CUDA|PTXEmulator|Benchmarks/gpu|Program/(device|memory-budget)|Tools/doctor'
stage "IR and tools (lit)"
lit_tests lit --filter-out "$gpu_tests"
stage gpu "kernels and tools for GPUs (lit)"
lit_tests lit_gpu --filter "$gpu_tests"

# Runs what ctest finds: a name for the log, then options that choose.
c_tests() {
  local log=$build/$1.log total bad
  shift
  ctest --test-dir $build -j2 --output-on-failure "$@" >"$log" 2>&1 || tail -40 "$log"
  total=$(number 'out of [0-9]+' "$log")
  bad=$(number '[0-9]+ tests failed' "$log")
  count $((total - bad)) "$bad" 0
  [ "$total" -gt 0 ] || count 0 1 0
}
stage "runtime (ctest)"
c_tests ctest -LE gpu
stage gpu "the emulator, the fake driver and the runtime on it (ctest)"
c_tests ctest_gpu -L gpu

# Runs Python tests: a name for the log, then what is tested.
python_tests() {
  local log=$build/$1.log
  shift
  PYTHONPATH=$build/python WEFT_BUILD=$build WEFT_TOOL=$build/bin/weft \
    build/venv/bin/python -m pytest -q -n 2 -p no:cacheprovider "$@" >"$log" 2>&1 ||
    grep -aE '^(E  |FAILED|ERROR)' "$log" | head -40 || true
  count "$(number '[0-9]+ passed' "$log")" \
    $(($(number '[0-9]+ failed' "$log") + $(number '[0-9]+ errors?' "$log"))) \
    "$(number '[0-9]+ skipped' "$log")"
  [ "$(number '[0-9]+ passed' "$log")" -gt 0 ] || count 0 1 0
}

stage "style and documents"
python_tests style test/Style test/Docs

# Counts what a test program said in its log, $1, in a line "N passed, N failed,
# N skipped"; without one, or if nothing passed, it counts as failed.
count_log() {
  local line
  line=$(grep -aE '^[0-9]+ passed, ' "$1" | tail -1 || true)
  if [ -n "$line" ] && [ "${line%% *}" -gt 0 ]; then
    count $(echo "$line" | grep -oE '[0-9]+')
  else
    tail -20 "$1"
    count 0 1 0
  fi
}

# Compares the cases in $1.mlir with the reference evaluator, on the CPU ($2 is
# cpu) or on a GPU that is emulated ($2 are modes of that).
compare_cases() {
  local where=()
  [ "$2" = cpu ] || where=(--cuda-arch sm_80 --modes "$2")
  WEFT_LIBCUDA=$PWD/$build/fake-cuda/libcuda.so.1 \
    $build/bin/weft-test-kernels $build/$1.mlir "${where[@]}" >$build/$1.$2.log 2>&1 || true
}
build/venv/bin/python test/Kernel/table.py >$build/kernels.mlir
build/venv/bin/python test/Fuzz/graphs.py --count 100 >$build/graphs.mlir
comparisons=(kernels.cpu graphs.cpu) comparisons_gpu=(kernels.plain,race,lazy)
for type in f64 f32 bf16; do
  build/venv/bin/python test/Kernel/gradients.py $build/bin/weft-opt $type >$build/gradients_$type.mlir
  comparisons+=(gradients_$type.cpu)
  comparisons_gpu+=(gradients_$type.plain)
done
# Makes the comparisons it is given, two at a time.
compare_all() {
  local comparison running=0
  for comparison in "$@"; do
    if [ $running = 2 ]; then wait -n; else running=$((running + 1)); fi
    compare_cases "${comparison%.*}" "${comparison#*.}" &
  done
  wait
  for comparison in "$@"; do
    grep -aE '^FAIL' $build/$comparison.log | head -40 || true
    count_log $build/$comparison.log
  done
}
stage "kernels, their gradients and graphs against the reference evaluator, on the CPU"
compare_all "${comparisons[@]}"
stage gpu "kernels and their gradients against the reference evaluator"
compare_all "${comparisons_gpu[@]}"

stage "gradients of ONNX's operators against differences"
build/venv/bin/python test/Gradient/operators.py --bin $build/bin >$build/operators.log 2>&1 || true
grep -aE '^FAIL|operators are' $build/operators.log | head -40 || true
count_log $build/operators.log

stage "faulty and hostile models and inputs"
build/venv/bin/python test/Hostile/suite.py --bin $build/bin >$build/hostile.log 2>&1 || true
grep -aE -A3 '^FAIL' $build/hostile.log | head -60 || true
count_log $build/hostile.log

on_gpu='gpu or cuda'
stage "the Python package, and models of torch's exporters"
python_tests python test/Python test/Model -k "not ($on_gpu)"
stage "training, against losses that torch recorded"
python_tests training test/Training -k "not ($on_gpu)"
stage gpu "whole models"
python_tests models_gpu test/Python test/Model -k "$on_gpu"
stage gpu "training"
python_tests training_gpu test/Training -k "$on_gpu"
stage gpu "what kernels ask of memory, and what ptxas makes of them"
python_tests cuda test/Codegen/CUDA

stage "ONNX's backend suite"
PYTHONPATH=$build/python build/venv/bin/python test/Backend/suite.py >$build/suite.log 2>&1 || true
grep -aE '^FAIL|cases in' $build/suite.log | head -60 || true
count_log $build/suite.log

for mode in plain lazy; do
  stage gpu "ONNX's backend suite ($mode)"
  WEFT_LIBCUDA=$PWD/$build/fake-cuda/libcuda.so.1 WEFT_FAKECUDA_MODE=$mode PYTHONPATH=$build/python \
    build/venv/bin/python test/Backend/suite.py --target cuda >$build/suite.$mode.log 2>&1 || true
  grep -aE '^FAIL|cases in' $build/suite.$mode.log | head -60 || true
  count_log $build/suite.$mode.log
done

stage "done"
seconds=$(((emulated + 500) / 1000))
printf 'test: emulated: %d:%02d\n' $((seconds / 60)) $((seconds % 60))
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
