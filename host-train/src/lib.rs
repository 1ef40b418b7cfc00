//! The host: index, extract, train, evaluate, export, hub.
