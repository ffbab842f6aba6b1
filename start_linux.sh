#!/bin/sh
# Finds a Python that is new enough and hands everything over to one_click.py.
here=$(dirname "$0")
for python in python3 python3.13 python3.12 python3.11 python; do
    if "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
        exec "$python" "$here/one_click.py" "$@"
    fi
done
echo "No Python 3.11 or newer was found. Install one, then run this again:" >&2
echo "  Debian, Ubuntu: sudo apt install python3 python3-venv" >&2
echo "  Fedora:         sudo dnf install python3" >&2
echo "  Arch:           sudo pacman -S python" >&2
exit 1
