//! Kayako (cloud) as a Deskferry source.
