"""Sets this project up and starts it: `python3 one_click.py --help` tells how. Needs Python 3.11 and nothing else."""

import sys

MINIMUM = (3, 11)


def main() -> int:
    # This file must stay readable for old Pythons: it is the one that tells their users what to do.
    if sys.version_info < MINIMUM:
        found = "{}.{}".format(*sys.version_info[:2])
        wanted = "{}.{}".format(*MINIMUM)
        print(f"This is Python {found} ({sys.executable}), and Python {wanted} or newer is needed.")
        print("Install one from your system's package manager or python.org, then run this command with it.")
        return 1
    from installer.cli import main as installer_main  # noqa: PLC0415 - an old Python could not read it

    return installer_main(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
