//! Synthetic street scenes with labelled anomalies.
