#!/bin/sh
# Sees that there is a Chromium for the browser tests; installs Debian's where that needs nobody's leave.
set -eu
for name in chromium chromium-browser google-chrome; do
    if command -v "$name" >/dev/null; then
        exit 0
    fi
done
if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
    echo "setup: installing chromium"
    apt-get update -qq >/dev/null
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null
else
    echo "setup: no Chromium found; the browser tests are left out (apt-get install chromium)"
fi
