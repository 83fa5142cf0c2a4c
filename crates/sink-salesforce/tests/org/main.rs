//! The sink against a local org.

mod bench;
mod bulk;
mod faults;
mod landing;
mod matching;
mod refusals;
mod signing;
mod verifying;
