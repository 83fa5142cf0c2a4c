//! Looking at some of what was read, and at what became of it: samples for a plan, cases for a sign-off, lists of what waits.
//! Nothing here is asked of a platform, and nothing runs beside a run.

mod draw;
mod samples;
mod unfinished;

pub use draw::{DrawnCase, draw};
pub use samples::{Samples, samples};
pub use unfinished::{Unfinished, unfinished};
