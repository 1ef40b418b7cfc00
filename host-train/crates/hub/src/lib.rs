//! Receives alarms, stores them once, acknowledges after commit.
