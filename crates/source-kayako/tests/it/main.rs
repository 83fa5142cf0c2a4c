//! Whole reads of a local Kayako, in order and in trouble.

mod harness;
mod hostile;
mod login;
mod merged;
mod moving;
mod whole;
