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
#   valgrind        finds decisions that depend on secrets (npm run constant-time)
set -eu

packages=''
need() { # COMMAND PACKAGE
  command -v "$1" >/dev/null 2>&1 || packages="$packages $2"
}
need ssh-keygen openssh-client
need script bsdutils
need mount mount
need valgrind valgrind
if [ "${1:-}" = --bench ]; then
  need scp openssh-client
  need unshare util-linux
  [ -x /usr/sbin/sshd ] || packages="$packages openssh-server"
fi
[ -n "$packages" ] || exit 0

if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null 2>&1; then
  echo "Missing test tools; on Debian or Ubuntu: sudo apt-get install$packages" >&2
  exit 1
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -q
# shellcheck disable=SC2086 # a list of words on purpose
apt-get install -q -y --no-install-recommends $packages
