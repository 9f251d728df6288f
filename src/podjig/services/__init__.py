"""Services: one file each, all of the same shape."""

from podjig.services import run as run
