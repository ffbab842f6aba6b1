"""`python -m modules.backends`: the model process, with every loader there is."""

from modules.backends.registry import loader_for
from modules.engine import worker

if __name__ == "__main__":
    worker.run(loader_for)
