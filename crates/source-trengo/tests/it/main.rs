//! Whole reads of a local Trengo, in order and in trouble.

mod changes;
mod estimate;
mod harness;
mod hostile;
mod knowledge;
mod moving;
mod reports;
mod whole;
