"""Speech on ONNX Runtime, in a process of its own: Kokoro and Piper voices.

Their phonemes are made by espeak-ng, their sound is encoded by FFmpeg's libraries. What is not imported by `child` needs
none of these.
"""
