"""The process in which one of the user's tool files is run; `FileTools` is its only caller."""

from modules.chat.tools.file_worker import serve

if __name__ == "__main__":
    serve()
