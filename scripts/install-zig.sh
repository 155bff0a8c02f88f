#!/bin/sh
# Installs zig and cargo-zigbuild, which `napi build --cross-compile` uses, from PyPI into .build/zig
# and, in a workflow, puts them on PATH for the steps that follow.
set -eu
cd "$(dirname "$0")/.."
place=$PWD/.build/zig
python3 -m venv "$place"
"$place/bin/pip" install -q ziglang==0.17.1 cargo-zigbuild==0.24.0
printf '#!/bin/sh\nexec "%s/bin/python" -m ziglang "$@"\n' "$place" >"$place/bin/zig"
chmod +x "$place/bin/zig"
if [ -n "${GITHUB_PATH:-}" ]; then
  echo "$place/bin" >>"$GITHUB_PATH"
else
  echo "export PATH=$place/bin:\$PATH"
fi
