"""Print the claims that fail on the results of this run; exit with 1 if there are any."""

import sys

from finhash.study.report.claims import CLAIMS, failing

if __name__ == "__main__":
    keys = failing(CLAIMS)
    print("\n".join(f"fails: {key}" for key in keys) or f"all {len(CLAIMS)} claims hold")
    sys.exit(bool(keys))
