"""Offline work on recordings: split, data set, fit, evaluate, report."""
