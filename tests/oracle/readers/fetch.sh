#!/bin/sh
# fetch.sh FOLDER: installs what package.json beside it names into FOLDER/node_modules, once for each version of that file.
# No script of any package is run.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
cd "$1"
exec 9>lock
flock 9
if [ -d node_modules ] && cmp -s "$here/package.json" installed.json; then exit 0; fi
command -v node >/dev/null 2>&1 && command -v npm >/dev/null 2>&1 || "$here/../../../packaging/deps.sh" nodejs npm
cp "$here/package.json" package.json
for attempt in 1 2 3; do
    if npm install --silent --ignore-scripts --no-audit --no-fund --no-package-lock; then
        cp package.json installed.json
        exit 0
    fi
    echo "fetch.sh: npm install failed (attempt $attempt)" >&2
done
exit 1
