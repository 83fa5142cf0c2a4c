//! Trengo as a source.
