"""Calibration: what a collection's scores mean, learnt from pairs of crops that people labelled."""
