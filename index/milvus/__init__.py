"""The gallery index on a Milvus server, for galleries that one machine does not hold. Needs the extra `milvus`."""
