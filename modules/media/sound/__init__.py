"""Recordings of any container → mono samples, decoded in a process of its own.

`sounds` is the parent's side; `child` runs FFmpeg's libraries; `questions` is what they say to each other.
"""
