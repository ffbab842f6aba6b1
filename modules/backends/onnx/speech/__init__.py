"""Speech on ONNX Runtime: Kokoro and Piper voices, their phonemes made by espeak-ng, their sound encoded by FFmpeg's
libraries; all of it in a process of its own. What is not imported by `child` needs none of these libraries."""
