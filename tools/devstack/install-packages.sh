#!/usr/bin/env bash
# Installs the Debian packages that the mesh needs and this machine has not. What is there already stays as it is, and none
# of these packages brings a service of its own: redis-server and mariadb-server would, so they are not asked for.
set -euo pipefail
log=${1:?usage: install-packages.sh LOG}
export PATH=$PATH:/usr/sbin:/sbin

missing=()
has() { command -v "$1" >/dev/null 2>&1; }
has redis-server || has redis-check-rdb || missing+=(redis-tools)   # redis-check-rdb is redis-server under another name
has mariadbd || missing+=(mariadb-server-core)
has mariadb || missing+=(mariadb-client-core)
has java || missing+=(default-jre-headless)
has mvn || missing+=(maven)
has curl || missing+=(curl)   # for what the README shows, and the test that runs it
[ ${#missing[@]} -eq 0 ] && exit 0

install=(apt-get install -y --no-install-recommends --no-upgrade "${missing[@]}")
by_hand="run: sudo apt-get update && sudo apt-get install --no-install-recommends ${missing[*]}"
has apt-get || { echo "setup: this machine has no apt-get; install ${missing[*]} (or what they are called here) by hand." >&2; exit 1; }
as_root=()
if [ "$(id -u)" != 0 ]; then
  # -n: a build never waits for a password that nobody is there to type.
  { has sudo && sudo -n true 2>/dev/null; } || { echo "setup: ${missing[*]} must be installed and you are not root; $by_hand" >&2; exit 1; }
  as_root=(sudo -n)
fi
echo "setup: installing ${missing[*]} …"
{
  "${as_root[@]}" apt-get update
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive "${install[@]}"
} >"$log" 2>&1 </dev/null || { tail -n 3 "$log" >&2; echo "setup: apt-get failed (all of it: $log); $by_hand" >&2; exit 1; }
