#!/bin/sh
# Installs the Debian packages whose programs the tests run. Needs root and apt-get.
#
#   scripts/install-test-tools.sh           what `npm test` needs
#   scripts/install-test-tools.sh --bench   also what `npm run bench` measures against; the package
#                                           openssh-server may start its daemon: not on a machine
#                                           where that is unwanted
#
#   openssh-client  ssh-keygen checks our signatures and key files; ssh-agent holds keys
#   openssh-tests   one file of it, sk-dummy.so: a security key in software, which needs no finger.
#                   The package itself would bring an SSH server and a Python framework
#   openssl         key files that are not OpenSSH's
#   bsdutils        script gives the command line a terminal
#   systemd         systemd-analyze checks the unit
#   python3-venv    the linters for workflows and the container file come from PyPI
#   binutils        objdump reads what a binary needs
#   mount           small and read-only file systems for the storage tests
#   bash, bash-completion, zsh, fish  the completion is tested in them
#   mandoc          reads the manual page
#   btrfs-progs     a file system on which copies share their blocks
#   util-linux      prlimit takes descriptors away from a server
#   strace          system calls that fail, such as openat2 on an old kernel, or writes (npm run crash-test)
#   rsync           which names of a tree its rules choose
#   valgrind        finds decisions that depend on secrets (npm run constant-time)
#   golang-go       where python3 is older than 3.12: the original Python e2eeftp, which
#                   scripts/install-python-peer.sh installs from PyPI, comes with a newer one
set -eu

packages=''
need() { # COMMAND PACKAGE
  command -v "$1" >/dev/null 2>&1 || packages="$packages $2"
}
need ssh-keygen openssh-client
need ssh-agent openssh-client
need openssl openssl
need script bsdutils
need mount mount
need systemd-analyze systemd
need objdump binutils
/usr/bin/python3 -c 'import venv, ensurepip' >/dev/null 2>&1 || packages="$packages python3-venv"
need bash bash
need zsh zsh
need fish fish
need mandoc mandoc
need prlimit util-linux
[ -e /usr/share/bash-completion/bash_completion ] || packages="$packages bash-completion"
need mkfs.btrfs btrfs-progs
need strace strace
need rsync rsync
need valgrind valgrind
/usr/bin/python3 -c 'import sys; sys.exit(sys.version_info < (3, 12))' 2>/dev/null || need go golang-go
if [ "${1:-}" = --bench ]; then
  need scp openssh-client
  need unshare util-linux
  need ip iproute2
  [ -x /usr/sbin/sshd ] || packages="$packages openssh-server"
fi
sk_dummy=/usr/lib/openssh/regress/misc/sk-dummy/sk-dummy.so
# The original Python e2eeftp is a download of its own, which needs no package manager.
finish() {
  exec "$(dirname "$0")/install-python-peer.sh"
}
[ -n "$packages" ] || [ ! -e "$sk_dummy" ] || finish

if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null 2>&1; then
  [ -e "$sk_dummy" ] || packages="$packages openssh-tests"
  echo "Missing test tools; on Debian or Ubuntu: sudo apt-get install$packages" >&2
  exit 1
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -q
if [ -n "$packages" ]; then
  # shellcheck disable=SC2086 # a list of words on purpose
  apt-get install -q -y --no-install-recommends $packages
fi
if [ ! -e "$sk_dummy" ]; then
  scratch=$(mktemp -d)
  trap 'rm -rf "$scratch"' EXIT
  # apt gives its download to a user of its own when the folder is that user's.
  ! id _apt >/dev/null 2>&1 || chown _apt "$scratch"
  (cd "$scratch" && apt-get download -q openssh-tests && dpkg-deb -x openssh-tests_*.deb unpacked)
  mkdir -p "${sk_dummy%/*}"
  cp "$scratch/unpacked$sk_dummy" "$sk_dummy"
  rm -rf "$scratch"
fi
finish
