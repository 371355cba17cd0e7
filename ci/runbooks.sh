#!/usr/bin/env bash
# Executes every command of the chart's README and runbooks, each document from a fresh release, on a cluster with
# a node, where the controller runs from its image and runs end by themselves; beside it is a PostgreSQL server for
# the commands that name $DATABASE_URL. The chart's pods have to pass the restricted Pod Security level. Where a
# document begins to restore, every object is lost, and at its end everything has to be there as before.
#
# usage: ci/runbooks.sh HALLMARK-BINARY     (needs Docker)
# HALLMARK_K3S_IMAGE   image of the node, as for `hallmark run --cluster k3s`
# HELM, KUBECTL        programs to use; built from ci/cluster/helm and ci/cluster/kubectl otherwise
set -euo pipefail

(($# == 1)) || {
    sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0" >&2
    exit 2
}
hallmark=$(realpath "$1")
cd "$(dirname "$0")/.."

namespace=agents
documents=(charts/agents/README.md charts/agents/docs/runbooks/*.md)
kinds=agentruns,agents.agents.proompteng.ai,agentproviders,implementationspecs
runs=(charts/agents/examples/agentrun-job.yaml charts/agents/examples/agentrun-workflow.yaml)
# The README builds and names this one; the other one takes the place of a runner.
controller_image=registry.example/agents-controller:$(sed -n 's/^appVersion: *"\{0,1\}\([^"]*\)"\{0,1\}$/\1/p' charts/agents/Chart.yaml)
runner_image=registry.example/runner:v1

work=$(mktemp -d)
trap finish EXIT

# The cluster's state is kept in a cache of its own, so that a cluster the user keeps is left alone.
finish() {
    HALLMARK_CACHE=$work/cache "$hallmark" --quiet cluster down || true
    [[ -z ${postgres:-} ]] || kill -QUIT "$postgres" || true
    rm -rf "$work" agents-database.dump agents.tar.zst* agents-restored.tar.zst* agents-values.yaml
}

fail() {
    echo "runbooks.sh: $*" >&2
    exit 1
}

# build FOLDER PACKAGE OUTPUT
build() {
    (cd "ci/cluster/$1" && CGO_ENABLED=0 go build -trimpath -buildvcs=false -o "$3" "$2")
}

programs() {
    mkdir "$work/bin"
    ln -s "$hallmark" "$work/bin/hallmark"
    if [[ -n ${HELM:-} ]]; then ln -s "$(realpath "$HELM")" "$work/bin/helm"; else build helm . "$work/bin/helm"; fi
    if [[ -n ${KUBECTL:-} ]]; then ln -s "$(realpath "$KUBECTL")" "$work/bin/kubectl"; else build kubectl . "$work/bin/kubectl"; fi
    export PATH=$work/bin:$PATH
    export HELM_CACHE_HOME=$work/helm HELM_CONFIG_HOME=$work/helm HELM_DATA_HOME=$work/helm
}

cluster() {
    local cache=${HALLMARK_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/hallmark}
    mkdir "$work/cache"
    ln -s "$cache/bin" "$work/cache/bin"
    KUBECONFIG=$(HALLMARK_CACHE=$work/cache "$hallmark" --quiet cluster up --cluster k3s)
    export KUBECONFIG
    # The clusters of the documents are one and the same, which loses everything in between.
    local context cluster user
    context=$(kubectl config current-context)
    cluster=$(kubectl config view --output jsonpath="{.contexts[?(@.name=='$context')].context.cluster}")
    user=$(kubectl config view --output jsonpath="{.contexts[?(@.name=='$context')].context.user}")
    for context in old new; do
        kubectl config set-context "$context" --cluster "$cluster" --user "$user" >"$work/log"
    done
}

# What the pods run, given to the node, which can pull nothing.
images() {
    ci/image.sh "$controller_image"
    cargo rustc --quiet --release --package hallmark-images --bin runner --target-dir target -- -Ctarget-feature=+crt-static
    install -D target/release/runner "$work/runner/usr/local/bin/agent-runner"
    tar --create --directory "$work/runner" usr | docker import --change 'USER 65532:65532' - "$runner_image" >"$work/log"
    local server node
    server=$(kubectl config view --minify --output 'jsonpath={.clusters[0].cluster.server}')
    node=$(docker ps --quiet --filter "publish=${server##*:}")
    docker save "$controller_image" "$runner_image" |
        docker exec --interactive "$node" ctr --namespace k8s.io images import - >"$work/log"
}

# unprivileged PROGRAM ARGUMENT... runs a program that refuses to run as root.
unprivileged() {
    if ((EUID == 0)); then setpriv --reuid=nobody --regid=nogroup --clear-groups "$@"; else "$@"; fi
}

# An empty database with the tables of the chart, as DATABASE_URL; the commands find its programs in PATH.
database() {
    local bin data=$work/postgres
    bin=$(find /usr/lib/postgresql -maxdepth 3 -name initdb -printf '%h\n' 2>/dev/null | sort -V | tail -n 1)
    [[ -n $bin ]] || fail 'there are no programs of PostgreSQL here: apt-get install postgresql'
    export PATH=$bin:$PATH
    # The server has to reach its folder and may own nothing else.
    chmod 755 "$work"
    mkdir "$data"
    ((EUID != 0)) || chown nobody:nogroup "$data"
    # Nobody may not be able to enter the present folder.
    (cd "$data" && unprivileged "$bin/initdb" --auth=trust --username=agents --encoding=UTF8 --no-sync \
        --pgdata "$data/data") >"$work/log" 2>&1 || { cat "$work/log" >&2; fail 'initdb failed'; }
    (cd "$data" && unprivileged "$bin/postgres" -D "$data/data" -k "$data" -c listen_addresses= -c fsync=off) \
        >"$work/postgres.log" 2>&1 &
    local deadline=$((SECONDS + 60))
    until pg_isready --quiet --host "$data"; do
        ((SECONDS < deadline)) || { cat "$work/postgres.log" >&2; fail 'PostgreSQL does not start'; }
        sleep 0.2
    done
    postgres=$(head -n 1 "$data/data/postmaster.pid")
    export DATABASE_URL="postgres://agents@localhost/postgres?host=$data"
    local step
    for step in controller/src/store/migrations/*.sql; do
        psql --quiet --set ON_ERROR_STOP=1 "$DATABASE_URL" --file "$step"
    done
}

# commands DOCUMENT prints the lines of its console blocks, and the headings of its sections.
commands() {
    awk '/^```console$/ {inside = 1; next} /^```$/ {inside = 0} inside || /^## /' "$1"
}

# objects prints what a restore has to bring back.
objects() {
    kubectl --namespace "$namespace" get "$kinds" --no-headers --sort-by=.metadata.name \
        --output custom-columns=KIND:.kind,NAME:.metadata.name,PHASE:.status.phase
}

# The release is lost, and every object with it.
lose() {
    objects >"$work/before" && grep -q '^AgentRun .*Succeeded$' "$work/before" && teardown && [[ -z $(objects) ]]
}

# setup DOCUMENT makes what the document takes for given: a release, objects of each kind that it names, and runs
# that have ended unless it makes them itself. Those have no security context, so the namespace enforces the
# restricted Pod Security level only while the chart's pods are made.
# Joined by &&, because bash does not stop at a failure inside of a function whose status is asked for.
setup() {
    local examples=(charts/agents/examples/{agentprovider,agent,implementationspec}.yaml)
    kubectl apply --server-side --force-conflicts -f charts/agents/crds/ &&
        kubectl wait --for=condition=Established --timeout=60s customresourcedefinitions --all &&
        kubectl create namespace "$namespace" --dry-run=client --output yaml | kubectl apply -f - &&
        enforce restricted &&
        helm install agents charts/agents --namespace "$namespace" --set "image.repository=${controller_image%:*}" \
            --set "runner.image.repository=${runner_image%:*}" --set "runner.image.tag=${runner_image##*:}" &&
        kubectl --namespace "$namespace" rollout status deployment/agents --timeout=120s &&
        enforce baseline &&
        kubectl --namespace "$namespace" apply "${examples[@]/#/--filename=}" &&
        if ! grep -q "apply -f ${runs[0]}" "$1"; then
            kubectl --namespace "$namespace" apply "${runs[@]/#/--filename=}" &&
                kubectl --namespace "$namespace" wait agentruns --all --for=condition=Succeeded --timeout=120s
        fi
}

enforce() {
    kubectl label namespace "$namespace" --overwrite "pod-security.kubernetes.io/enforce=$1"
}

# The runs go while the controller is there to take its finalizer away.
teardown() {
    kubectl --namespace "$namespace" delete "$kinds" --all --timeout=60s &&
        helm uninstall agents --namespace "$namespace" --ignore-not-found --wait &&
        kubectl --namespace "$namespace" wait pods --all --for=delete --timeout=60s
}

# execute DOCUMENT
execute() {
    local command executed=0
    # The README begins with the installation itself.
    [[ $1 == */README.md ]] || setup "$1" >"$work/log" 2>&1 || { cat "$work/log" >&2; fail "$1: cannot be set up"; }
    while IFS= read -r command; do
        case $command in
            '## Restore')
                lose >"$work/log" 2>&1 || { cat "$work/log" >&2; fail "$1: nothing to be lost, or it cannot be"; }
                continue
                ;;
            '## '*) continue ;;
        esac
        timeout 300 bash -euo pipefail -c "$command" </dev/null >"$work/log" 2>&1 ||
            { cat "$work/log" >&2; fail "$1: $command"; }
        executed=$((executed + 1))
    done < <(commands "$1")
    ((executed > 0)) || fail "$1: holds no command"
    if [[ -e $work/before ]]; then
        diff "$work/before" <(objects) || fail "$1: not everything is as it was before the loss"
        echo "$1: restored $(wc -l <"$work/before") objects as they were"
        rm "$work/before"
    fi
    teardown >"$work/log" 2>&1 || { cat "$work/log" >&2; fail "$1: cannot be cleaned up"; }
    echo "$1: executed all of its $executed commands"
}

programs
database
cluster
images
for document in "${documents[@]}"; do
    execute "$document"
done
