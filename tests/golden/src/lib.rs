//! Reference vectors: discovery, loading and named tolerances.
