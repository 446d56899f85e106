#!/bin/sh
# unpack.sh DIR PACKAGE: puts a package of Debian's, and what it needs and is not installed, below DIR, without
# installing any: no daemon starts, no script runs, nothing of the system changes, and nobody has to be root. Says so,
# and does not fail, where it cannot. Takes no time when DIR is there.
set -eu
dir=$1 package=$2
test ! -e "$dir" || exit 0
making=$dir.$$
trap 'rm -rf "$making"' EXIT

get() {
  plan=$(apt-get install -s --no-install-recommends "$package") || return
  names=$(echo "$plan" | sed -n 's/^Inst \([^ ]*\).*/\1/p')
  test -n "$names" || return 0 # it is installed
  echo "unpacking: $package"
  mkdir -p "$making"
  (cd "$making" && apt-get download -qq $names) || return
  for deb in "$making"/*.deb; do
    dpkg-deb -x "$deb" "$making" || return
    rm "$deb"
  done
  mv "$making" "$dir"
}

get 2>/dev/null || echo "left out, and skipped by the specs: $package" >&2
