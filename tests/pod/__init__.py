"""Tests of pods."""
