"""One file per question; each prints what was measured beside its bar and beside its peers."""
