//! The source against a local Kustomer: one program, so that one build serves all.

mod exports;
mod harness;
mod hostile;
mod moving;
mod said;
mod stumbling;
mod whole;
