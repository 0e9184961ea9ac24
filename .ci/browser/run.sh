#!/usr/bin/env bash
# The monthly report in a real browser.  run.sh PAGE [--screenshots DIR] [--expect-rows NAME=N]...
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
kept="$here/../../target/browser"

mkdir -p "$kept"
# Again when the lock has changed; npm writes its own lock into node_modules last.
if ! cmp -s "$here/package-lock.json" "$kept/package-lock.json" || [ ! -e "$kept/node_modules/.package-lock.json" ]; then
  cp "$here/package.json" "$here/package-lock.json" "$kept/"
  npm ci --prefix "$kept" --no-audit --no-fund --ignore-scripts
fi

if [ ! -x /usr/bin/chromium ]; then
  apt-get update
  apt-get install -y --no-install-recommends chromium fonts-dejavu-core
fi

# What the browser says of itself is of use when it has failed.
code=0
DEBUG=pw:browser NODE_PATH="$kept/node_modules" node "$here/check.mjs" "$@" 2>"$kept/said" || code=$?
if [ "$code" != 0 ] || grep -q crashpad "$kept/said"; then
  grep -v dbus "$kept/said" | cut -c -500 | tail -20 >&2
fi
exit "$code"
