//! The sink against a local org.

mod amending;
mod articles;
mod bench;
mod browser;
mod bulk;
mod calls;
mod channels;
mod codes;
mod faults;
mod figures;
mod landing;
mod matching;
mod objects;
mod people;
mod probing;
mod refusals;
mod schema;
mod signing;
mod verifying;
