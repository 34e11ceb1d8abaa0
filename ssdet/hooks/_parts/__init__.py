"""Helpers that several hooks share; no hook of the public list stands here.

A helper of one hook alone stands in the file of that hook.
"""
