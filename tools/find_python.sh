#!/bin/sh
# Print a Python that runs and can make virtual environments; fail with advice if there is none.
#   find_python.sh         one of 3.12, 3.11 and 3.13, whichever is found first
#   find_python.sh 3.13    that version
# Each candidate is run, because a name on the PATH may be a pyenv shim that only prints an error.
versions=${1:-"3.12 3.11 3.13"}
check='import sys, venv, ensurepip; sys.exit("%d.%d" % sys.version_info[:2] not in sys.argv[1:])'
pyenv="${PYENV_ROOT:-$HOME/.pyenv}/versions"

works() {
    # shellcheck disable=SC2086
    "$1" -I -c "$check" $versions >/dev/null 2>&1 </dev/null
}

for version in $versions; do
    if works "python$version"; then command -v "python$version"; exit 0; fi
done
for python in python3 python; do
    if works "$python"; then command -v "$python"; exit 0; fi
done
for version in $versions; do
    for python in "$pyenv/$version".*/bin/python "/usr/bin/python$version" "/opt/homebrew/bin/python$version"; do
        if works "$python"; then echo "$python"; exit 0; fi
    done
done
if uv --version >/dev/null 2>&1; then
    for version in $versions; do
        python=$(uv --no-python-downloads python find --system "$version" 2>/dev/null) || continue
        if works "$python"; then echo "$python"; exit 0; fi
    done
fi
if [ -n "$1" ]; then
    echo "Python $1 with its venv module was not found." >&2
else
    echo "This needs Python 3.11, 3.12 or 3.13 with its venv module, and none was found." >&2
    echo "Get one from https://www.python.org/downloads/, with 'apt install python3.12-venv', or with 'uv python install 3.12'." >&2
fi
exit 1
