//! Deskferry.
