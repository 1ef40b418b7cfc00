//! The one project tool: demo, test, lint, size.

fn main() {}
