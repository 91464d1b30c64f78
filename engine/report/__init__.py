"""Report: the run as pages to look at and to keep."""
