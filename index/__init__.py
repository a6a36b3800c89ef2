"""Vector search without SQL or HTTP: the contract, exact FAISS index and re-ranking."""
