#!/bin/sh
# Finds a Python that is new enough and hands everything over to one_click.py.
here=$(dirname "$0")
frameworks=/Library/Frameworks/Python.framework/Versions
# Programs started from the Finder do not have these folders on their path.
PATH="$PATH:/opt/homebrew/bin:/usr/local/bin:$frameworks/3.13/bin:$frameworks/3.12/bin:$frameworks/3.11/bin"
export PATH
for python in python3 python3.13 python3.12 python3.11 python; do
    # Apple's /usr/bin/python3 is only an invitation to install its tools where these are missing.
    if [ "$(command -v "$python")" = /usr/bin/python3 ] && ! xcode-select -p >/dev/null 2>&1; then
        continue
    fi
    if "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
        exec "$python" "$here/one_click.py" "$@"
    fi
done
echo "No Python 3.11 or newer was found. Install one, then run this again:" >&2
echo "  with Homebrew: brew install python@3.13" >&2
echo "  or the installer from python.org" >&2
exit 1
