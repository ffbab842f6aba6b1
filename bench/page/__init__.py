"""The web page in a real Chromium: how fast it opens, streams and lists, and what it holds."""
