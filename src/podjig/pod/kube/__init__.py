"""Pods as Kubernetes manifests: written for ``podman kube play``, read from what users have."""
