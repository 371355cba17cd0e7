#!/usr/bin/env bash
# Builds the image of the controller from controller/Dockerfile, and looks whether it starts.
#
# usage: ci/image.sh [REFERENCE]     (default: the image that the chart names)
# DOCKER   program that builds and runs images (default docker)
set -euo pipefail
cd "$(dirname "$0")/.."

# value KEY prints the default of a key of `image` in the chart's values.
value() {
    sed -n "/^image:/,/^[^ ]/s/^  $1: *//p" charts/agents/values.yaml | tr -d '"'
}

docker=${DOCKER:-docker}
reference=${1:-$(value repository):$(value tag)}
context=$(mktemp -d)
trap 'rm -rf "$context"' EXIT

# The command of controller/implementation.yaml, so that tests and image have the same program.
cargo rustc --release --package agents-controller --bin agents-controller --target-dir target -- -Ctarget-feature=+crt-static
# Nothing else of the target folder is sent to the builder.
cp target/release/agents-controller "$context"
"$docker" build --file controller/Dockerfile --tag "$reference" "$context"

# Without a cluster it can tell its version, as the user of the chart's pods and without anything that it could write.
"$docker" run --rm --read-only --network none "$reference" --version
