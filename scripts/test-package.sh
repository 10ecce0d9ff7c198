#!/usr/bin/env bash
# Builds the Python package as `pip install` does, installs it into a new virtual
# environment, and runs the package's tests there. The first build compiles
# everything once more (10 minutes on 2 cores); later ones take a minute.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup.sh

out=build/package
rm -rf $out
mkdir -p $out
echo "package: building (log in $out/build.log)"
build/venv/bin/pip wheel -v --disable-pip-version-check --no-deps -w $out . \
  >$out/build.log 2>&1 || { grep -E -A20 'FAILED|rror:' $out/build.log | head -60; exit 1; }
wheel=$(echo $out/weft-*.whl)
/usr/bin/python3 -m venv $out/venv
$out/venv/bin/pip install -q --disable-pip-version-check "$wheel[onnx]" pytest
installed=$($out/venv/bin/python -c 'import pathlib, weft; print(pathlib.Path(weft.__file__).parent)')
case $installed in
$PWD/$out/venv/*) ;;
*) echo "package: tests would use $installed" && exit 1 ;;
esac

echo "package: $(stat -c %s "$wheel") bytes; libraries of the installed compiler:"
libraries=$(ldd "$installed/lib/libweft.so")
echo "$libraries"
if echo "$libraries" | grep -E 'not found|MLIR|LLVM'; then
  echo "package: the compiler needs what only a developer has" && exit 1
fi
# The tests import the installed package: the source tree has none on the path.
WEFT_TOOL=$PWD/$out/venv/bin/weft $out/venv/bin/python -m pytest -q \
  -p no:cacheprovider test/Python
