#!/bin/sh
# Print a Python 3.11, 3.12 or 3.13 that runs and can make virtual environments; fail with advice where there is none.
# Each is run: a name on the PATH may be a shim of pyenv that only prints an error.
check='import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))'
pyenv="${PYENV_ROOT:-$HOME/.pyenv}/versions"
for python in python3.12 python3.11 python3.13 python3 python \
    "$pyenv"/3.12.*/bin/python "$pyenv"/3.11.*/bin/python "$pyenv"/3.13.*/bin/python \
    /usr/bin/python3.12 /usr/bin/python3.11 /usr/bin/python3.13 \
    /opt/homebrew/bin/python3.12 /opt/homebrew/bin/python3.11 /opt/homebrew/bin/python3.13; do
    if "$python" -I -c "$check" >/dev/null 2>&1 </dev/null; then
        command -v "$python"
        exit 0
    fi
done
if uv --version >/dev/null 2>&1; then
    for version in 3.12 3.11 3.13; do
        python=$(uv --no-python-downloads python find --system "$version" 2>/dev/null) || continue
        if "$python" -I -c "$check" >/dev/null 2>&1 </dev/null; then
            echo "$python"
            exit 0
        fi
    done
fi
echo "This needs Python 3.11, 3.12 or 3.13 with its venv module, and none was found." >&2
echo "Get one from https://www.python.org/downloads/, with 'apt install python3.12-venv', or with 'uv python install 3.12'." >&2
exit 1
