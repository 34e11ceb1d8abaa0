"""The demo set: scenes of handwritten digits, drawn while training or written to disk.

It needs no download. Data sets of real images stand one level up.
"""
