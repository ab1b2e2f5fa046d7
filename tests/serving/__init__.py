"""Tests of genrec.serving."""
