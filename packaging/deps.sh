#!/bin/sh
# packaging/deps.sh WANTED…: installs the Debian packages among WANTED that are missing, and nothing else.
# apt where it is there (with sudo only when not root); elsewhere it says what to install.  Prints nothing when all is there.
set -eu

if ! command -v dpkg-query >/dev/null 2>&1 || ! command -v apt-get >/dev/null 2>&1; then
    if [ -n "${SLUICE_DEPS_CHECKED:-}" ] || pkg-config --exists libpcre2-8 openssl sqlite3 libuv jansson libidn2 libseccomp icu-i18n 2>/dev/null; then
        exit 0
    fi
    echo "This is not a Debian system: install what these Debian packages hold, then run make again:" >&2
    echo "  $*" >&2
    exit 69
fi

missing=
for package in "$@"; do
    state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$state" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

sudo=
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null 2>&1; then
        echo "Missing:$missing" >&2
        echo "Install them as root: apt-get install --no-install-recommends$missing" >&2
        exit 77
    fi
    sudo=sudo
fi
echo "installing:$missing" >&2
export DEBIAN_FRONTEND=noninteractive
# A list older than the archive names files that are gone, so it is fetched anew before anything is installed.
$sudo apt-get update -qq
# shellcheck disable=SC2086
$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $missing >/dev/null
