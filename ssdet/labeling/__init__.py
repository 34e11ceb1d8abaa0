"""Labels out: bulk labeling, fusion of sources, audit."""
