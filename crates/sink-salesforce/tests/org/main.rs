//! The sink against a local org.

mod bench;
mod faults;
mod landing;
mod matching;
mod refusals;
mod verifying;
