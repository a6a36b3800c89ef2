"""Judgements: what people say of hits, and what searches and calibration make of it."""
