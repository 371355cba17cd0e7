#!/usr/bin/env bash
# Builds the node image: one node of upstream Kubernetes with containerd, which takes the place of the k3s
# image where that cannot be pulled. Needs a Docker engine, but neither a builder nor a registry.
#
# usage: ci/node-image/build.sh KUBERNETES-BINARY ETCD-BINARY TAG     (as root, for debootstrap)
# HALLMARK_CACHE   keeps the root file system of Debian packages (default ~/.cache/hallmark)
set -euo pipefail

suite=bookworm
packages=containerd,runc,containernetworking-plugins,iptables,iproute2,openssl,ca-certificates
pause_image=hallmark.dev/pause:v1

(($# == 3)) || {
    sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0" >&2
    exit 2
}
kubernetes=$(realpath "$1") etcd=$(realpath "$2") tag=$3
here=$(cd "$(dirname "$0")" && pwd)
target=${CARGO_TARGET_DIR:-$here/../../target}
cache=${HALLMARK_CACHE:-$HOME/.cache/hallmark}/node-image
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

digest() {
    sha256sum | cut -c 1-16
}

(cd "$here" && cargo rustc --quiet --release -p hallmark-images --bin pause -- -C target-feature=+crt-static)
pause=$(realpath "$target/release/pause")

inputs=$({
    echo "$suite $packages"
    cat "$here"/* "$kubernetes" "$etcd" "$pause"
} | digest)
label=dev.hallmark.inputs
if [[ $(docker image inspect --format "{{index .Config.Labels \"$label\"}}" "$tag" 2>/dev/null) == "$inputs" ]]; then
    echo "node-image: $tag is up to date"
    exit 0
fi

# The packages change less often than the rest and take the longest.
mkdir -p "$cache"
root=$cache/$(echo "$suite $packages" | digest).tar
if [[ ! -e $root ]]; then
    echo "node-image: collecting Debian packages"
    # From the mirror that apt uses, through its proxy.
    eval "$(apt-config shell http_proxy Acquire::http::Proxy)"
    export http_proxy
    # shellcheck disable=SC2016 # The fields are apt's.
    mirror=$(apt-get indextargets --format '$(RELEASE) $(SITE)' 'Created-By: Packages' |
        awk -v suite="$suite" '$1 == suite && !seen++ { print $2 }')
    debootstrap --variant=minbase --include="$packages" "$suite" "$work/root" \
        ${mirror:+"$mirror"} >"$work/debootstrap.log" ||
        { tail -n 20 "$work/debootstrap.log" >&2 && exit 1; }
    tar --create --file "$root.part" --directory "$work/root" --one-file-system --exclude='./dev/*' \
        --exclude='./var/cache/*' --exclude='./var/lib/apt/*' --exclude='./usr/share/doc/*' \
        --exclude='./usr/share/man/*' --exclude='./usr/share/locale/*' --exclude='./etc/machine-id' .
    mv "$root.part" "$root"
fi

install -D -m 755 "$kubernetes" "$work/add/usr/bin/kubernetes"
install -D -m 755 "$etcd" "$work/add/usr/bin/etcd"
install -D -m 755 "$here/entrypoint.sh" "$work/add/usr/bin/node"
install -D -m 644 -t "$work/add/etc/hallmark" "$here/containerd.toml" "$here/kubelet.yaml"
install -D -m 644 -t "$work/add/etc/cni/net.d" "$here/cni.conflist"
mkdir -p "$work/add/usr/lib/hallmark/images"
tar --create --directory "$(dirname "$pause")" pause |
    docker import --change 'ENTRYPOINT ["/pause"]' --change 'USER 65535' - "$pause_image" >/dev/null
docker save --output "$work/add/usr/lib/hallmark/images/pause.tar" "$pause_image"

# Nothing is left to the container's own layer that containerd, the kubelet or etcd write: an overlay file
# system cannot lie on another one.
cp "$root" "$work/image.tar"
(cd "$work/add" && find . -type f -print0) | tar --append --file "$work/image.tar" --directory "$work/add" \
    --owner 0 --group 0 --null --files-from -
docker import \
    --change "LABEL $label=$inputs" \
    --change 'LABEL dev.hallmark.distribution="upstream Kubernetes with containerd"' \
    --change 'LABEL org.opencontainers.image.description="upstream Kubernetes, etcd and containerd; not k3s"' \
    --change 'ENV PATH=/usr/sbin:/usr/bin' \
    --change 'VOLUME ["/var/lib/rancher/k3s", "/var/lib/kubelet", "/var/log"]' \
    --change 'EXPOSE 6443/tcp' \
    --change 'ENTRYPOINT ["/usr/bin/node"]' \
    --change 'CMD ["server"]' \
    "$work/image.tar" "$tag" >/dev/null
echo "node-image: built $tag"
