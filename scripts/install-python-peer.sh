#!/bin/sh
# Installs the original Python e2eeftp, the peer of the tests of `classic`, into .build/python-peer:
#
#   0.0.0b4/python   runs Python with version 0.0.0b4 of it, on the system's Python
#   0.0.0/python     the same with version 0.0.0, which needs Python 3.12: the system's if it is new
#                    enough, else the one that a Go module carries
#
# Needs python3 with venv, and go where python3 is older than 3.12. Everything comes by name from the
# Python package index and the Go module proxy. Does nothing when it is there.
set -eu

cd "$(dirname "$0")/.."
peer=$PWD/.build/python-peer
[ ! -e "$peer/ready" ] || exit 0
rm -rf "$peer"
mkdir -p "$peer"

# Not the one of a version manager: the tests run it as a user who can't look into root's home.
python=/usr/bin/python3
[ -x "$python" ] || python=python3
python_module=github.com/kluctl/go-embed-python@v0.0.0-3.14.6-20260610-1
# Newer than the package asks for, so `--no-deps` for the package alone.
libraries='cryptography==50.0.2 rich==15.0.0'

"$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' || {
  echo "The Python peer needs python3 >= 3.11 with venv; on Debian or Ubuntu: apt-get install python3-venv" >&2
  exit 1
}

wrapper() { # VERSION LINE
  # shellcheck disable=SC2016 # for the shell that runs it
  printf '#!/bin/sh\nhere=$(dirname "$(readlink -f "$0")")\n%s\n' "$2" >"$peer/$1/python"
  chmod 755 "$peer/$1/python"
}

in_venv() { # VERSION
  "$python" -m venv "$peer/$1/venv"
  pip="$peer/$1/venv/bin/pip --disable-pip-version-check -q"
  # shellcheck disable=SC2086 # lists of words on purpose
  $pip install $libraries
  $pip install --ignore-requires-python --no-deps "e2eeftp==$1"
  wrapper "$1" 'exec "$here/venv/bin/python" "$@"'
}

in_go_module() { # VERSION
  command -v go >/dev/null 2>&1 || {
    echo "Version $1 needs Python 3.12 or newer; without it, go, to get one: apt-get install golang-go" >&2
    exit 1
  }
  case $(uname -m) in
    x86_64) platform=linux-amd64 ;;
    aarch64) platform=linux-arm64 ;;
    *) echo "No Python for $(uname -m) in $python_module" >&2 && exit 1 ;;
  esac
  mkdir -p "$peer/$1/empty"
  directory=$(cd "$peer/$1/empty" && GOFLAGS=-mod=mod GOTOOLCHAIN=local go mod download -json "$python_module" |
    sed -n 's/^[[:space:]]*"Dir": "\(.*\)",$/\1/p')
  "$python" scripts/lib/unpack-python.py "$directory/python/internal/data/$platform" "$peer/$1/home"
  "$python" -m venv "$peer/$1/venv"
  pip="$peer/$1/venv/bin/pip --disable-pip-version-check -q"
  for packages in "$libraries" "--no-deps e2eeftp==$1"; do
    # shellcheck disable=SC2086 # lists of words on purpose
    $pip install --target "$peer/$1/site" --upgrade --python-version 3.14 --only-binary=:all: \
      --ignore-requires-python $packages
  done
  rm -rf "$peer/$1/venv" "$peer/$1/empty"
  wrapper "$1" 'PYTHONHOME="$here/home" PYTHONPATH="$here/site" exec "$here/home/bin/python3.14" "$@"'
}

in_venv 0.0.0b4
if "$python" -c 'import sys; sys.exit(sys.version_info < (3, 12))'; then
  in_venv 0.0.0
else
  in_go_module 0.0.0
fi
for version in 0.0.0b4 0.0.0; do
  "$peer/$version/python" -c 'from e2eeftp import e2eeftp, e2eeftpClient'
done
: >"$peer/ready"
