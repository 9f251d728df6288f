"""Tests of cleaning up."""
