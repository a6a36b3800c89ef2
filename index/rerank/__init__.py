"""Second looks at the best candidates of a search: each method in a module of its own, on the embeddings of the hits.

Every method is a pure function on arrays, so that methods can be chained (normalise per camera, then re-rank).
"""
