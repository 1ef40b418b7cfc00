//! Label manifests, splits and the feature cache.
