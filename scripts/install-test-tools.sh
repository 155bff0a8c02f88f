#!/bin/sh
# Installs the Debian packages whose programs the tests run. Needs root and apt-get.
#
#   scripts/install-test-tools.sh           what `npm test` needs
#   scripts/install-test-tools.sh --bench   also what `npm run bench` measures against; the package
#                                           openssh-server may start its daemon: not on a machine
#                                           where that is unwanted
#
#   openssh-client  ssh-keygen checks our signatures and key files
#   bsdutils        script gives the command line a terminal
#   mount           small and read-only file systems for the storage tests
#   python3-venv    the original Python e2eeftp, which scripts/install-python-peer.sh installs from the
#                   Python package index; also golang-go where python3 is older than 3.12
set -eu

packages=''
need() { # COMMAND PACKAGE
  command -v "$1" >/dev/null 2>&1 || packages="$packages $2"
}
need ssh-keygen openssh-client
need script bsdutils
need mount mount
/usr/bin/python3 -c 'import venv, ensurepip' 2>/dev/null || packages="$packages python3-venv"
/usr/bin/python3 -c 'import sys; sys.exit(sys.version_info < (3, 12))' 2>/dev/null || need go golang-go
if [ "${1:-}" = --bench ]; then
  need scp openssh-client
  need unshare util-linux
  [ -x /usr/sbin/sshd ] || packages="$packages openssh-server"
fi
if [ -z "$packages" ]; then
  exec "$(dirname "$0")/install-python-peer.sh"
fi

if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null 2>&1; then
  echo "Missing test tools; on Debian or Ubuntu: sudo apt-get install$packages" >&2
  exit 1
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -q
# shellcheck disable=SC2086 # a list of words on purpose
apt-get install -q -y --no-install-recommends $packages
exec "$(dirname "$0")/install-python-peer.sh"
