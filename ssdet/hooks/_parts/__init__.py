"""Helpers that several hooks share; no public hook belongs here.

A helper of one hook alone belongs in the file of that hook.
"""
