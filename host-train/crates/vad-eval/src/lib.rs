//! Frame-level and alarm-level metrics and the HTML report.
