"""The process in which templates from requests are rendered; `ForeignRenderer` is its only caller."""

from modules.prompt.templates.foreign_worker import serve

if __name__ == "__main__":
    serve()
