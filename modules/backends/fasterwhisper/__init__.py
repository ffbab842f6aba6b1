"""Whisper models, as folders that CTranslate2 reads, through faster-whisper."""
