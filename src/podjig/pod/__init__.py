"""Pods: containers that share one network namespace."""

from podjig.pod.pod import Pod

__all__ = ["Pod"]
