#!/usr/bin/env bash
# Validates the chart: generated files are current, and every values file is linted and rendered to the same objects by
# Helm 3 and Helm 4, without a cluster. With the harness also what the chart refuses, and how it writes numbers: the
# scenarios of the chart, which the suite runs with one Helm, are run with Helm 3.
#
# values.schema.json is written by hand. Tests hold it against values.yaml: the same keys, the types of all defaults,
# and the bounds of all numbers.
#
# usage: ci/validate.sh [HALLMARK-BINARY]
# HELM3, HELM4   programs to use; built from ci/cluster/helm3 and ci/cluster/helm otherwise
set -euo pipefail
hallmark=${1:+$(realpath "$1")}
cd "$(dirname "$0")/.."

chart=charts/agents
# For .Capabilities, the same in both: what a release assumes by itself is that of its own libraries.
kubernetes=v1.35.0

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
    echo "validate.sh: $*" >&2
    exit 1
}

# build_helm FOLDER PACKAGE OUTPUT; without the flags, which every release of Helm 3 is built with, it takes clusters
# for a version of Kubernetes that the chart does not support.
build_helm() {
    local version=helm.sh/helm/v3/pkg/chartutil.k8sVersion
    (cd "ci/cluster/$1" && CGO_ENABLED=0 go build -trimpath -buildvcs=false \
        -ldflags "-X ${version}Major=1 -X ${version}Minor=35" -o "$3" "$2")
}

# The definitions are made from the API types, the tables of the README from values.yaml. The tests of the
# chart's documents also bound the size of each definition.
generated_files() {
    cargo run --quiet --package agents-controller --bin agents-controller -- crds --check --out "$chart/crds"
    cargo test --quiet --package agents-controller --test chart
}

# objects HELM OPTION... prints what the release would have; the releases differ in blank lines only.
objects() {
    local helm=$1
    shift
    "$helm" template agents "$chart" --namespace agents --kube-version "$kubernetes" --include-crds "$@" >"$work/rendered"
    grep -v '^$' "$work/rendered"
}

# compare TITLE OPTION...
compare() {
    local title=$1
    shift
    objects "$helm3" "$@" >"$work/3.yaml"
    objects "$helm4" "$@" >"$work/4.yaml"
    diff -u --label "Helm 3" --label "Helm 4" "$work/3.yaml" "$work/4.yaml" || fail "$title: Helm 3 and Helm 4 render different objects"
    echo "$title: $(grep -c '^kind: ' "$work/4.yaml") objects, the same with Helm 3 and Helm 4"
}

# scenarios HELM runs those of the chart with it.
scenarios() {
    mkdir "$work/bin"
    ln -s "$(realpath "$1")" "$work/bin/helm"
    PATH=$work/bin:$PATH "$hallmark" run --cluster local --label area=chart --report-dir "$work/reports"
    grep -q "$("$1" version --template '{{.Version}}' | cut -d+ -f1)" "$work/reports/report.yaml" ||
        fail "the scenarios were not run with $1"
}

generated_files

helm3=${HELM3:-$work/helm3} helm4=${HELM4:-$work/helm4}
[[ -n ${HELM3:-} ]] || build_helm helm3 helm.sh/helm/v3/cmd/helm "$helm3"
[[ -n ${HELM4:-} ]] || build_helm helm . "$helm4"

for values in "$chart"/values*.yaml "$chart"/ci/*-values.yaml; do
    for helm in "$helm3" "$helm4"; do
        "$helm" lint --strict --quiet --kube-version "$kubernetes" "$chart" --values "$values"
    done
    compare "$values" --values "$values"
    compare "$values in two Deployments" --values "$values" --set controllers.enabled=true
done

[[ -z $hallmark ]] || scenarios "$helm3"
