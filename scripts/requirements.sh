#!/bin/sh
# Pins requirements/*.in to *.txt for every platform and Python from 3.11 on, with hashes. What is pinned stays
# as it is unless its .in asks otherwise; --upgrade takes the newest that fit.
set -eu
compile() {
    name=$1
    shift
    .venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
        --custom-compile-command "make requirements" "$@" "requirements/$name.in" -o "requirements/$name.txt"
}
for name in dev orchestrator analyzer; do
    compile "$name" "$@"
done
compile build --constraint requirements/dev.txt
