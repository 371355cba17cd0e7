#!/usr/bin/env bash
# Executes the commands of the chart's README and runbooks, each document from a fresh release, against a
# cluster without nodes, and a PostgreSQL server for those that name $DATABASE_URL. What needs a running pod is
# named and not executed; what it asks for has to be there at some time. Pods have to pass the restricted Pod Security level. Where a document begins to restore,
# every object is lost, and at its end everything has to be there as before.
#
# usage: ci/runbooks.sh HALLMARK-BINARY
# HELM, KUBECTL   programs to use; built from ci/cluster/helm and ci/cluster/kubectl otherwise
set -euo pipefail

(($# == 1)) || {
    sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0" >&2
    exit 2
}
hallmark=$(realpath "$1")
cd "$(dirname "$0")/.."

namespace=agents
documents=(charts/agents/README.md charts/agents/docs/runbooks/*.md)
# There is no kubelet: nothing becomes ready, logs or answers.
needs_pod=' rollout status | wait | logs | get --raw '
kinds=agentruns,agents.agents.proompteng.ai,agentproviders,implementationspecs
ended='{"status":{"phase":"Succeeded","startedAt":"2026-01-01T00:00:00Z","finishedAt":"2026-01-01T00:01:00Z"}}'

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
    KUBECONFIG=$(HALLMARK_CACHE=$work/cache "$hallmark" --quiet cluster up --cluster local)
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

# asked COMMAND prints what the command asks for: a port of a Service, or an object by kind and name.
asked() {
    if [[ $1 =~ /services/([a-z-]+:[a-z]+)/proxy/ || $1 =~ \ ((deployment|agentrun)/[a-z-]+) ]]; then
        echo "${BASH_REMATCH[1]}"
    fi
}

# present prints what a command could ask for now.
present() {
    kubectl --namespace "$namespace" get services --no-headers \
        --output custom-columns=NAME:.metadata.name,PORTS:.spec.ports[*].name |
        awk '{count = split($2, ports, ","); for (i = 1; i <= count; i++) print $1 ":" ports[i]}'
    kubectl --namespace "$namespace" get deployments,agentruns --no-headers \
        --output custom-columns=KIND:.kind,NAME:.metadata.name | awk '{print tolower($1) "/" $2}'
}

# The release is lost, and every object with it.
lose() {
    objects >"$work/before" && grep -q '^AgentRun .*Succeeded$' "$work/before" && teardown && [[ -z $(objects) ]]
}

# What the documents take for given: a release, objects of each kind they name, and a run that has ended, for which no
# controller works here. The namespace enforces
# the restricted Pod Security level, where pods that miss it are not created.
# Joined by &&, because bash does not stop at a failure inside of a function whose status is asked for.
setup() {
    local example examples=()
    for example in agentprovider agent implementationspec agentrun-job agentrun-workflow; do
        examples+=(-f "charts/agents/examples/$example.yaml")
    done
    kubectl apply --server-side --force-conflicts -f charts/agents/crds/ &&
        kubectl wait --for=condition=Established --timeout=60s customresourcedefinitions --all &&
        kubectl create namespace "$namespace" --dry-run=client --output yaml | kubectl apply -f - &&
        kubectl label namespace "$namespace" --overwrite pod-security.kubernetes.io/enforce=restricted &&
        helm install agents charts/agents --namespace "$namespace" &&
        kubectl --namespace "$namespace" wait deployment/agents --for=jsonpath='{.status.replicas}'=1 --timeout=60s &&
        kubectl --namespace "$namespace" apply "${examples[@]}" &&
        kubectl --namespace "$namespace" patch agentrun example --subresource=status --type=merge --patch "$ended"
}

teardown() {
    helm uninstall agents --namespace "$namespace" --ignore-not-found --wait &&
        kubectl --namespace "$namespace" delete "$kinds" --all
}

# execute DOCUMENT
execute() {
    local command executed=0 passed_over=0
    : >"$work/asked"
    : >"$work/present"
    # The README begins with the installation itself.
    [[ $1 == */README.md ]] || setup >"$work/log" 2>&1 || { cat "$work/log" >&2; fail "$1: cannot be set up"; }
    while IFS= read -r command; do
        case $command in
            '## Restore')
                lose >"$work/log" 2>&1 || { cat "$work/log" >&2; fail "$1: nothing to be lost, or it cannot be"; }
                continue
                ;;
            '## '*) continue ;;
        esac
        if [[ $command =~ $needs_pod ]]; then
            echo "    needs a pod: $command"
            asked "$command" >>"$work/asked"
            passed_over=$((passed_over + 1))
            continue
        fi
        bash -euo pipefail -c "$command" </dev/null >"$work/log" 2>&1 || { cat "$work/log" >&2; fail "$1: $command"; }
        executed=$((executed + 1))
        present >>"$work/present"
    done < <(commands "$1")
    ((executed > 0)) || fail "$1: holds no command"
    # Not each at its place: a document is read from the top, but followed from where one stands.
    local missing
    missing=$(sort -u "$work/asked" | comm -23 - <(sort -u "$work/present"))
    [[ -z $missing ]] || fail "$1: commands ask for what was never there: $missing"
    if [[ -e $work/before ]]; then
        diff "$work/before" <(objects) || fail "$1: not everything is as it was before the loss"
        echo "$1: restored $(wc -l <"$work/before") objects as they were"
        rm "$work/before"
    fi
    teardown >"$work/log" 2>&1 || { cat "$work/log" >&2; fail "$1: cannot be cleaned up"; }
    echo "$1: executed $executed commands, $passed_over need a pod"
}

programs
database
cluster
for document in "${documents[@]}"; do
    execute "$document"
done
