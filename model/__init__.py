"""CLIP-SENet and all that makes it: network, presets, weights, embedder, training, evaluation, synthetic vehicles."""
