#!/usr/bin/env bash
# Brings up Docker Engine on a Debian machine where nothing manages it, such as a CI sandbox: installs
# what is missing from the distribution's packages and starts dockerd. Does nothing where Docker answers.
#
# usage: ci/docker.sh [EXTRA-PACKAGE...]     (as root; extra packages are installed in the same go)
# DOCKERD_LOG    where dockerd logs (default /var/log/dockerd.log)
# DOCKERD_WAIT   seconds to wait for its socket (default 60)
set -euo pipefail

log=${DOCKERD_LOG:-/var/log/dockerd.log}
wait_seconds=${DOCKERD_WAIT:-60}

fail() {
    echo "docker.sh: $*" >&2
    exit 1
}

answers() {
    timeout 10 docker version --format '{{.Server.Version}}' >/dev/null 2>&1
}

install_missing() {
    local missing=()
    command -v dockerd >/dev/null || missing+=(docker.io)
    command -v iptables >/dev/null || missing+=(iptables)
    local package
    for package in "$@"; do
        dpkg-query --show --showformat='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' ||
            missing+=("$package")
    done
    ((${#missing[@]})) || return 0
    echo "docker.sh: installing ${missing[*]}"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# Starts dockerd with the given flags and waits until it answers. Returns 1 when it ended before.
start_dockerd() {
    rm -f /var/run/docker.pid
    setsid dockerd "$@" >>"$log" 2>&1 </dev/null &
    local daemon=$! deadline=$((SECONDS + wait_seconds))
    until answers; do
        kill -0 "$daemon" 2>/dev/null || return 1
        ((SECONDS < deadline)) || {
            tail -n 20 "$log" >&2
            kill "$daemon"
            fail "dockerd did not answer within ${wait_seconds} s; its log is $log"
        }
        sleep 0.2
    done
}

# Docker may be there and only lack one of the other packages.
if answers; then
    (($# == 0)) || install_missing "$@"
    echo "docker.sh: Docker $(docker version --format '{{.Server.Version}}') answers"
    exit 0
fi

[[ $(id -u) == 0 ]] || fail "Docker does not answer and only root can start it"
install_missing "$@"

# A sandbox may forbid overlay mounts or the tables of the bridge network. The first set of flags is the
# ordinary one, each of the others gives up one more thing.
for flags in '' '--storage-driver=vfs' '--storage-driver=vfs --iptables=false --ip6tables=false'; do
    : >"$log"
    # shellcheck disable=SC2086 # The flags are words.
    if start_dockerd $flags; then
        echo "docker.sh: started Docker $(docker version --format '{{.Server.Version}}')${flags:+ with $flags}," \
            "storage driver $(docker info --format '{{.Driver}}')"
        exit 0
    fi
    echo "docker.sh: dockerd ${flags:-without flags} ended: $(grep -v level=info "$log" | tail -n 1)" >&2
done
fail "dockerd does not start; its log is $log"
