"""Tuning: which params are tried, in which order, and which of them win; exact after any interruption.

A search is a pure function of the recipe and the data: what a trial tries depends on the outcomes of all
trials before it but for the last few, never on which ended first, nor on where or how fast they ran.
"""
