"""One command for everything: `python start.py lab`, `test`, `site` and more; --help lists them.

What it does stands in tools/starting.py. This file is what an old Python meets first, so it is
written in words that every Python can read.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036
    sys.stdout.write(
        "start.py: Python 3.11 or newer is needed; this is %d.%d. Name a newer one: "  # noqa: UP031
        "python3.11 start.py\n" % sys.version_info[:2]
    )
    sys.exit(2)

from tools.starting import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
