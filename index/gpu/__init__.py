"""Search of large segments on a CUDA device, by FAISS' GPU indexes; the CPU answers whatever the device cannot."""
