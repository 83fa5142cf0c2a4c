//! The one place that speaks HTTP for all connectors.
