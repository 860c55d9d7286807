#!/bin/sh
# Find or get a Chromium for the browser tests; without one they skip, and under CI=true they fail.
set -u
for name in chromium chromium-browser google-chrome; do
  if command -v "$name" >/dev/null; then
    echo "browser tests use $(command -v "$name")"
    exit 0
  fi
done
if [ -f /etc/debian_version ] && [ "$(id -u)" = 0 ]; then
  echo "installing Debian's chromium for the browser tests"
  if apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium >/dev/null; then
    exit 0
  fi
fi
echo "fetching Playwright's own chromium for the browser tests"
python -m playwright install chromium || echo "no chromium: the browser tests will say so"
