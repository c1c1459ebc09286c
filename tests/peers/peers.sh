#!/bin/bash
# tests/peers/peers.sh: other people's mail servers for tests, unpacked beside ours, never installed.
#
#   peers.sh fetch            unpack postfix, exim and opensmtpd with what they depend on under build/peers/NAME/root
#   peers.sh fetch NAME…      unpack those only; `rules`: what judges mail by rules, for make bench-rules
#   peers.sh run NAME CMD…    run CMD in a private mount namespace where NAME looks installed (needs root)
#   peers.sh check            start each, ask each for EHLO, stop each
#
# The packages conflict with one another and installing one starts a daemon; so each is downloaded, unpacked with dpkg -x
# and laid over /usr, /etc and /var with overlayfs in a mount namespace of its own, which ends with the command.
set -euo pipefail

here=$(cd "$(dirname "$0")/../.." && pwd)
peers=$here/build/peers
declare -A package=([postfix]=postfix [exim]=exim4-daemon-light [opensmtpd]=opensmtpd [knot]=knot
    [login]="postfix sasl2-bin libsasl2-modules libsasl2-modules-db"
    [rules]="postfix-pcre dovecot-sieve rspamd")
order=(postfix exim opensmtpd) # those that check() talks SMTP to
others=(knot login)

say() { printf '%s\n' "$*" >&2; }

# What apt would have to install for a package here, the package itself included.
wanted() {
    apt-get install -s --no-install-recommends "$@" 2>/dev/null | awk '$1 == "Inst" {print $2}'
}

fetch_one() {
    local name=$1 root=$peers/$1/root
    [ -e "$peers/$name/done" ] && return
    rm -rf "${peers:?}/$name"
    mkdir -p "$root" "$peers/$name/debs"
    say "unpacking $name"
    local names
    # shellcheck disable=SC2086
    names=$(wanted ${package[$name]})
    # Installed already: apt would do nothing, but its package is still what we unpack.
    [ -n "$names" ] || names=${package[$name]}
    (cd "$peers/$name/debs" && apt-get -o APT::Sandbox::User=root download -qq $names >/dev/null)
    local deb
    for deb in "$peers/$name/debs"/*.deb; do dpkg -x "$deb" "$root"; done
    touch "$peers/$name/done"
}

fetch() {
    command -v apt-get >/dev/null || { say "The peers are Debian packages: no apt-get here."; exit 69; }
    [ -n "$(apt-cache show postfix 2>/dev/null)" ] || as_root apt-get update -qq
    local name
    [ $# -gt 0 ] || set -- "${order[@]}" "${others[@]}"
    for name in "$@"; do fetch_one "$name"; done
}

as_root() { if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo -n "$@"; fi; }

# Inside the namespace: lay the unpacked tree over the system's, with a scratch layer on top that goes with the namespace.
enter() {
    local name=$1; shift
    local root=$peers/$name/root scratch=$peers/$name/scratch
    mkdir -p "$scratch"
    mount -t tmpfs -o mode=755 tmpfs "$scratch"
    local dir
    for dir in usr etc var; do
        [ -d "$root/$dir" ] || continue
        mkdir -p "$scratch/$dir.up" "$scratch/$dir.work"
        mount -t overlay overlay -o "lowerdir=$root/$dir:/$dir,upperdir=$scratch/$dir.up,workdir=$scratch/$dir.work" "/$dir"
    done
    "users_$name"
    exec "$@"
}

add_user() { # name uid home
    grep -q "^$1:" /etc/passwd || echo "$1:x:$2:$2::$3:/usr/sbin/nologin" >> /etc/passwd
    grep -q "^$1:" /etc/group || echo "$1:x:$2:" >> /etc/group
}
users_postfix() {
    add_user postfix 5101 /var/spool/postfix
    add_user postdrop 5102 /
    mkdir -p /var/spool/postfix /var/lib/postfix
    local dir
    for dir in active bounce corrupt defer deferred flush hold incoming private saved trace; do
        install -d -o postfix -m 700 "/var/spool/postfix/$dir"
    done
    install -d -o postfix -g postdrop -m 730 /var/spool/postfix/maildrop
    install -d -o postfix -g postdrop -m 710 /var/spool/postfix/public
    install -d -m 755 /var/spool/postfix/pid
    chown postfix /var/lib/postfix
    chgrp postdrop /usr/sbin/postdrop /usr/sbin/postqueue && chmod g+s /usr/sbin/postdrop /usr/sbin/postqueue
    [ -e /etc/postfix/dynamicmaps.cf ] || : > /etc/postfix/dynamicmaps.cf
}
users_exim() {
    add_user Debian-exim 5103 /var/spool/exim4
    install -d -o Debian-exim -g Debian-exim -m 750 /var/spool/exim4 /var/log/exim4
}
users_opensmtpd() {
    mount -t tmpfs -o mode=755 tmpfs /run # its control socket is there: another instance of these tests has its own
    add_user opensmtpd 5104 /var/lib/opensmtpd/empty
    add_user opensmtpq 5105 /var/lib/opensmtpd/empty
    install -d -m 711 /var/spool/smtpd /var/lib/opensmtpd /var/lib/opensmtpd/empty
    install -d -m 700 -o opensmtpq /var/spool/smtpd/{corrupt,incoming,purge,queue,temporary} 2>/dev/null || true
}

users_knot() { :; }
users_login() { users_postfix; } # Postfix with Cyrus SASL
# Postfix's tables, Pigeonhole and rspamd together: they do not conflict.
users_rules() {
    users_postfix
    add_user dovecot 5106 /usr/lib/dovecot
    add_user dovenull 5107 /nonexistent
    add_user _rspamd 5108 /var/lib/rspamd
    install -d -o _rspamd /var/lib/rspamd /var/log/rspamd /run/rspamd
}

run() {
    local name=$1; shift
    [ -e "$peers/$name/done" ] || fetch "$name"
    as_root unshare --mount --propagation private --fork --kill-child "$0" enter "$name" "$@"
}

check() {
    local name failed=0
    for name in "${order[@]}"; do
        if run "$name" "$here/tests/peers/smoke.py" "$name"; then say "$name: answers"; else say "$name: DOES NOT ANSWER"; failed=1; fi
    done
    return $failed
}

case ${1:-} in
fetch) shift; fetch "$@" ;;
run) shift; run "$@" ;;
enter) shift; enter "$@" ;;
check) fetch; check ;;
*) say "usage: peers.sh fetch [NAME…] | run NAME COMMAND… | check"; exit 64 ;;
esac
