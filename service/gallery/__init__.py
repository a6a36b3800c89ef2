"""The gallery: enrolled vehicle crops."""
