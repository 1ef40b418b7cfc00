//! The alarm wire protocol between board and hub (no_std).
