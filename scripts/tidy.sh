#!/usr/bin/env bash
# Runs clang-tidy 22 over the sources that differ from a commit, or over those
# that are named:
#
#   scripts/tidy.sh [COMMIT]          what has changed since COMMIT [HEAD]
#   scripts/tidy.sh FILE...           these
#
# Needs a configured and built build/dev. A file takes 10 seconds and more, which
# is why this is no part of scripts/test.sh.
set -euo pipefail
cd "$(dirname "$0")/.."
[ -f build/dev/compile_commands.json ] || {
  echo "tidy: run 'cmake --preset dev' and build first" >&2
  exit 2
}
if [ $# -gt 0 ] && [ -f "$1" ]; then
  files=("$@")
else
  mapfile -t files < <(git diff --name-only --diff-filter=d "${1:-HEAD}" -- '*.cpp' '*.c' |
    grep -E '^(lib|tools|python)/')
fi
((${#files[@]})) || { echo "tidy: nothing has changed"; exit 0; }
# A precompiled header of another compiler flavour can't be read by clang-tidy,
# which needs none.
commands=build/tidy
mkdir -p $commands
build/venv/bin/python - build/dev/compile_commands.json $commands/compile_commands.json <<'PY'
import json, re, sys
entries = json.load(open(sys.argv[1]))
for entry in entries:
    entry["command"] = re.sub(
        r"^ccache |-Xclang -(?:include-pch|fno-pch-timestamp)|-Xclang \S+\.pch"
        r"|-Winvalid-pch|-fpch-instantiate-templates", "", entry["command"])
json.dump(entries, open(sys.argv[2], "w"))
PY
status=0
for file in "${files[@]}"; do
  echo "tidy: $file"
  clang-tidy-22 --quiet -p $commands "$file" 2>/dev/null || status=1
done
exit $status
