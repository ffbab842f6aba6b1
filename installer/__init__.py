"""Sets up the project on a bare machine and starts it. Standard library only: it runs before anything is installed."""
