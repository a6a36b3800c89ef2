"""The model: what makes the embeddings."""
