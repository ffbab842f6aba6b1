"""What is taken in of pictures."""

from typing import Final

# Decoding takes four bytes for each pixel, whatever the file's size.
MAX_PIXELS: Final = 64_000_000
# What pictures are made smaller to: above what the encoders of today's models take in.
MOST_PIXELS: Final = 4 * 2**20
ACCEPTED: Final = "PNG, JPEG, WebP, GIF, HEIC, AVIF, TIFF and BMP"
