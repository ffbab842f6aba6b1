"""A process that is too slow, and leaves somebody behind who keeps its stdout open for a while."""

import subprocess
import sys
import time

if __name__ == "__main__":
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(4)"], start_new_session=True)
    time.sleep(60)
