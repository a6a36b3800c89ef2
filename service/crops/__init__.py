"""The crop store: uploaded pictures, byte for byte."""
