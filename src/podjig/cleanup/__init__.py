"""Cleanup: whose everything is, and who removes it when. Labels, leases, a helper process, the sweep."""
