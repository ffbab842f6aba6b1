"""Pictures that come with requests: their bytes, from wherever the request has them, and their pixels.

`bytes_in` reads a data URL, `RemoteBytes` fetches a URL, `PictureReader` decodes in a process of its own.
"""
