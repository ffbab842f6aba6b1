"""Downloads a model in the terminal: `python download-model.py owner/name`."""

import sys

from modules.models.downloads.download import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
