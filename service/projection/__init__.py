"""Projections of a collection's embeddings: fitted from the stored vectors, applied to them, without any picture."""
