#!/usr/bin/env bash
# Packs the benchmark for machines with a GPU: pack.sh [-o FILE] [--build DIR] [--arch sm_80] [--tiny]
#
# There, which needs NVIDIA's driver and numpy, and neither LLVM nor a toolkit:
#
#   tar xf weft-gpu.tar.xz && python3 weft-gpu/run.py --json result.json
#
# torch and onnxruntime-gpu are compared with if they are installed.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
output=weft-gpu.tar.xz build=$root/build/dev flags=()
while [ $# -gt 0 ]; do
  case $1 in
    -o) output=$2; shift ;;
    --build) build=$2; shift ;;
    --arch) flags+=(--arch "$2"); shift ;;
    --tiny) flags+=(--tiny) ;;
    *) echo "pack.sh: $1 is not known" >&2; exit 2 ;;
  esac
  shift
done
python=$root/build/venv/bin/python
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
version=$(git -C "$root" describe --always --dirty 2>/dev/null || echo unknown)
"$python" "$here/make.py" "$folder/weft-gpu" --build "$build" --version "$version" "${flags[@]}"
# Weights repeat after 16 KiB; what is computed by nobody else is some megabytes.
tar -C "$folder" -cf - weft-gpu | xz -9 -T2 > "$output"
bytes=$(stat -c %s "$output")
echo "$output: $((bytes >> 10)) KiB"
if [ "$bytes" -gt $((64 << 20)) ]; then
  echo "pack.sh: that is more than 64 MiB" >&2
  exit 1
fi
