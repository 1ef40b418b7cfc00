//! The semantics of clip and score, shared bit for bit by host and board (no_std).
