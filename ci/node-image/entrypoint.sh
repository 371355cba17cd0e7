#!/bin/bash
# One node of upstream Kubernetes in a container: etcd, the control plane, containerd, kubelet, kube-proxy.
# It keeps the contract of the k3s image, so that either can stand in for the other:
#   arguments    `server` and k3s's flags; those for the components' own flags, the node's name and the
#                certificate are honoured, those for parts that are not here are accepted and ignored
#   kubeconfig   /etc/rancher/k3s/k3s.yaml, complete as soon as it exists
#   images       *.tar in /var/lib/rancher/k3s/agent/images are loaded before the node is Ready
#   API          port 6443
# The container ends when one of its processes ends.
set -euo pipefail

state=/var/lib/rancher/k3s
tls=$state/server/tls
kubeconfigs=$state/server/cred
address=$(hostname -i | cut -d ' ' -f 1)
node=$(hostname)
names=IP:127.0.0.1,IP:10.43.0.1,IP:$address,DNS:localhost,DNS:kubernetes.default.svc,DNS:kubernetes.default
apiserver_flags=() controller_manager_flags=() scheduler_flags=() kubelet_flags=() proxy_flags=()

# Reads k3s's arguments, `--flag=value` or `--flag value`.
read_arguments() {
    local flag value
    while (($#)); do
        flag=${1%%=*} value=${1#*=}
        if [[ $1 == --*-arg || $1 == --node-name || $1 == --tls-san || $1 == --disable ]]; then
            value=${2?"$1 needs a value"}
            shift
        fi
        shift
        case $flag in
            --node-name) node=$value ;;
            --tls-san) if [[ $value =~ ^[0-9.]+$|: ]]; then names+=,IP:$value; else names+=,DNS:$value; fi ;;
            --kube-apiserver-arg) apiserver_flags+=("--$value") ;;
            --kube-controller-manager-arg) controller_manager_flags+=("--$value") ;;
            --kube-scheduler-arg) scheduler_flags+=("--$value") ;;
            --kubelet-arg) kubelet_flags+=("--$value") ;;
            --kube-proxy-arg) proxy_flags+=("--$value") ;;
        esac
    done
}

# Makes up for what a container lacks as a node.
prepare_container() {
    mount --make-rshared /
    [[ -e /dev/kmsg ]] || ln -s /dev/null /dev/kmsg
    [[ -s /etc/machine-id ]] || tr -d - </proc/sys/kernel/random/uuid >/etc/machine-id
    # cgroup v2 lets only a group without processes hand controllers to its children.
    if [[ -f /sys/fs/cgroup/cgroup.controllers ]]; then
        mkdir -p /sys/fs/cgroup/init
        xargs -rn1 </sys/fs/cgroup/cgroup.procs >/sys/fs/cgroup/init/cgroup.procs 2>/dev/null || true
        sed -e 's/ / +/g' -e 's/^/+/' </sys/fs/cgroup/cgroup.controllers >/sys/fs/cgroup/cgroup.subtree_control
    fi
}

# certificate NAME SUBJECT [EXTENSION]... makes NAME.key and NAME.crt, signed by the authority if it exists.
certificate() {
    local name=$1 subject=$2 extension options=()
    shift 2
    [[ ! -e $tls/ca.crt ]] || options=(-CA "$tls/ca.crt" -CAkey "$tls/ca.key")
    for extension in "$@"; do options+=(-addext "$extension"); done
    openssl req -x509 -days 3650 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "$subject" \
        -config <(printf '[req]\ndistinguished_name=dn\n[dn]\n') \
        -keyout "$tls/$name.key" -out "$tls/$name.crt" "${options[@]}" 2>/dev/null
}

# kubeconfig NAME prints a kubeconfig with the certificate of that name.
kubeconfig() {
    cat <<END
apiVersion: v1
kind: Config
current-context: default
clusters:
- name: default
  cluster:
    server: https://127.0.0.1:6443
    certificate-authority-data: $(base64 -w 0 "$tls/ca.crt")
contexts:
- name: default
  context: {cluster: default, user: default}
users:
- name: default
  user:
    client-certificate-data: $(base64 -w 0 "$tls/$1.crt")
    client-key-data: $(base64 -w 0 "$tls/$1.key")
END
}

make_credentials() {
    local client=extendedKeyUsage=clientAuth
    certificate ca /CN=hallmark-node-ca basicConstraints=critical,CA:TRUE keyUsage=critical,keyCertSign
    certificate apiserver /CN=kube-apiserver extendedKeyUsage=serverAuth "subjectAltName=$names"
    certificate admin /O=system:masters/CN=system:admin "$client"
    certificate controller-manager /CN=system:kube-controller-manager "$client"
    certificate scheduler /CN=system:kube-scheduler "$client"
    certificate proxy /CN=system:kube-proxy "$client"
    certificate kubelet "/O=system:nodes/CN=system:node:$node" "$client"
    certificate service-account /CN=service-account
    local name
    for name in controller-manager scheduler proxy kubelet; do kubeconfig "$name" >"$kubeconfigs/$name"; done
    kubeconfig admin >/etc/rancher/k3s/.k3s.yaml
    mv /etc/rancher/k3s/.k3s.yaml /etc/rancher/k3s/k3s.yaml
}

# run COMMAND... runs one of the node's processes; with it the node ends.
run() {
    local status=0
    "$@" || status=$?
    echo "node: $1 ended with status $status: ${*:2:1}" >&2
    kill -USR1 $$
}

# until_ok WHAT COMMAND... runs the command until it succeeds, for 120 s at the most.
until_ok() {
    local what=$1 deadline=$((SECONDS + 120))
    shift
    until "$@" >/dev/null 2>&1; do
        if ((SECONDS >= deadline)); then
            echo "node: $what is not ready after 120 s" >&2
            exit 1
        fi
        sleep 0.05
    done
}

# shellcheck disable=SC2317 # Called through until_ok.
api_is_ready() {
    printf 'GET /readyz HTTP/1.0\r\n\r\n' |
        openssl s_client -quiet -connect 127.0.0.1:6443 -cert "$tls/admin.crt" -key "$tls/admin.key" |
        grep -q '^HTTP/1.0 200'
}

load_images() {
    until_ok containerd ctr version
    local archive
    for archive in /usr/lib/hallmark/images/*.tar "$state"/agent/images/*.tar; do
        [[ ! -e $archive ]] || ctr --namespace k8s.io images import "$archive"
    done
}

start_control_plane() {
    run etcd --name node --data-dir "$state/server/db" --unsafe-no-fsync --log-level warn \
        --listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379 \
        --listen-peer-urls http://127.0.0.1:2380 --initial-advertise-peer-urls http://127.0.0.1:2380 \
        --initial-cluster node=http://127.0.0.1:2380 &
    run kubernetes kube-apiserver --etcd-servers=http://127.0.0.1:2379 --advertise-address="$address" \
        --authorization-mode=Node,RBAC --enable-admission-plugins=NodeRestriction --allow-privileged=true \
        --service-cluster-ip-range=10.43.0.0/16 --client-ca-file="$tls/ca.crt" \
        --tls-cert-file="$tls/apiserver.crt" --tls-private-key-file="$tls/apiserver.key" \
        --kubelet-client-certificate="$tls/admin.crt" --kubelet-client-key="$tls/admin.key" \
        --kubelet-preferred-address-types=InternalIP \
        --service-account-issuer=https://kubernetes.default.svc \
        --service-account-key-file="$tls/service-account.crt" \
        --service-account-signing-key-file="$tls/service-account.key" "${apiserver_flags[@]}" &
}

# These end, or wait for long, when they meet an API server that is not ready.
start_clients() {
    run kubernetes kube-controller-manager --kubeconfig="$kubeconfigs/controller-manager" --leader-elect=false \
        --use-service-account-credentials=true --secure-port=0 --root-ca-file="$tls/ca.crt" \
        --service-account-private-key-file="$tls/service-account.key" "${controller_manager_flags[@]}" &
    run kubernetes kube-scheduler --kubeconfig="$kubeconfigs/scheduler" --leader-elect=false --secure-port=0 \
        "${scheduler_flags[@]}" &
    run kubernetes kubelet --kubeconfig="$kubeconfigs/kubelet" --config=/etc/hallmark/kubelet.yaml \
        --hostname-override="$node" --node-ip="$address" "${kubelet_flags[@]}" &
    # A service's answer from a pod on the same bridge would bypass the translation of addresses, so the
    # node stands in between. Conntrack's limits are the host's.
    run kubernetes kube-proxy --kubeconfig="$kubeconfigs/proxy" --hostname-override="$node" \
        --cluster-cidr=10.42.0.0/16 --masquerade-all --oom-score-adj=0 --conntrack-max-per-core=0 \
        --conntrack-min=0 --conntrack-tcp-timeout-established=0s --conntrack-tcp-timeout-close-wait=0s \
        "${proxy_flags[@]}" &
}

trap 'exit 0' TERM INT
trap 'exit 1' USR1
read_arguments "$@"
mkdir -p "$tls" "$kubeconfigs" "$state/server/db" "$state/agent/images" /etc/rancher/k3s
chmod 700 "$state/server" "$state/server/db"
prepare_container
run containerd --config /etc/hallmark/containerd.toml --log-level warn &
make_credentials
start_control_plane
load_images
until_ok 'the API server' api_is_ready
start_clients
wait
