"""Tests of the wheel and the sdist, in environments of their own: ``make packages``.

They need uv and a package index. Ordinary runs of pytest leave this folder out.
"""
