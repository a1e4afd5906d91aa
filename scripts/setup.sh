#!/bin/sh
# Makes .venv with the pinned tools and libraries and the three distributions, and sees that Stockfish is there.
# PYTHON names the interpreter to use, ROOKIFY_STOCKFISH the engine; else the first that fits is taken.
set -eu

say() { printf '%s\n' "setup: $*"; }
fail() { printf '%s\n' "setup: $*" >&2; exit 1; }

fits() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

find_python() {
    if [ -n "${PYTHON:-}" ]; then
        fits "$PYTHON" || fail "PYTHON=$PYTHON is not Python 3.11 or newer"
        echo "$PYTHON"
        return
    fi
    for name in python3 python3.13 python3.12 python3.11 python; do
        if fits "$name"; then
            echo "$name"
            return
        fi
    done
    fail "needs Python 3.11 or newer, and found none on PATH; install one, or name it: make setup PYTHON=/path/to/python3"
}

# Installs a Debian package where that needs nobody's leave; says no otherwise.
debian_install() {
    if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
        return 1
    fi
    say "installing $1"
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$1" >/dev/null 2>&1 && return
    apt-get update -qq >/dev/null &&
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$1" >/dev/null
}

find_named_stockfish() { # of several, separated as in PATH, the first that is there
    (
        IFS=:
        for name in ${ROOKIFY_STOCKFISH:-}; do
            command -v "$name" && exit
        done
        exit 1
    )
}

find_stockfish() { find_named_stockfish || command -v stockfish || command -v /usr/games/stockfish; }

python=$(find_python)
if ! fits .venv/bin/python; then
    say "making .venv with $("$python" --version)"
    # Debian keeps what venv needs in a package of its own.
    "$python" -c 'import ensurepip' 2>/dev/null || debian_install python3-venv ||
        fail "this Python cannot make environments; on Debian and its kin: apt-get install python3-venv"
    rm -rf .venv
    "$python" -m venv .venv
fi

pip() { .venv/bin/python -m pip install --quiet --disable-pip-version-check "$@"; }
say "installing requirements/dev.txt"
pip --require-hashes -r requirements/dev.txt
pip --no-deps --no-build-isolation -e protos -e orchestrator -e analyzer

if [ -n "${ROOKIFY_STOCKFISH:-}" ] && ! find_named_stockfish >/dev/null; then
    fail "ROOKIFY_STOCKFISH=$ROOKIFY_STOCKFISH names no program"
fi
find_stockfish >/dev/null || debian_install stockfish || true
if stockfish=$(find_stockfish); then
    say "Stockfish is $stockfish"
else
    say "no Stockfish found: \`rookify up\`, \`make demo\` and every analyzer need one, other commands do not." \
        "Install it (apt-get install stockfish, brew install stockfish), or set ROOKIFY_STOCKFISH to the program"
fi
