#!/usr/bin/env bash
# Installs what Weft is built with, on Debian 12: packages of Debian (as root, or
# with sudo) and a Python virtual environment in the build tree. May be run
# again at any time; what is there already is left alone.
set -euo pipefail
cd "$(dirname "$0")/.."

packages=(
  build-essential cmake ninja-build ccache git
  clang-22 clang-format-22 clang-tidy-22 lld-22 libclang-rt-22-dev
  llvm-22-dev llvm-22-tools libmlir-22-dev mlir-22-tools
  libprotobuf-dev protobuf-compiler
  libcli11-dev nlohmann-json3-dev libgtest-dev
  libzstd-dev zlib1g-dev libz3-dev libpng-dev libturbojpeg0-dev
  python3 python3-venv python3-dev
)

missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null |
    grep -q 'install ok installed' || missing+=("$package")
done
if ((${#missing[@]})); then
  echo "setup: installing ${missing[*]}"
  run=()
  if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || {
      echo "setup: run as root, or install sudo, to get: ${missing[*]}" >&2
      exit 1
    }
    run=(sudo)
  fi
  "${run[@]}" apt-get update -qq
  "${run[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

# Debian's own Python, so that the environment does not depend on what else is
# installed.
venv=build/venv
if ! [ -x $venv/bin/python ]; then
  echo "setup: creating $venv"
  /usr/bin/python3 -m venv $venv
fi
stamp=$venv/requirements.stamp
if ! cmp -s scripts/requirements.txt $stamp; then
  echo "setup: installing Python packages"
  $venv/bin/pip install -q --disable-pip-version-check \
    -r scripts/requirements.txt
  cp scripts/requirements.txt $stamp
fi
echo "setup: done"
