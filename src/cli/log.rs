//! Standard error, shared by logs and bars: whoever writes there lets the bars step aside.

use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};

use indicatif::MultiProgress;

/// The bars that are drawn now.
static DRAWN: Mutex<Option<MultiProgress>> = Mutex::new(None);

fn drawn() -> Option<MultiProgress> {
    DRAWN.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// From now on these bars step aside for what is written.
pub(super) fn draw(bars: Option<MultiProgress>) {
    *DRAWN.lock().unwrap_or_else(PoisonError::into_inner) = bars;
}

/// A line for people, above the bars.
#[expect(clippy::print_stderr, reason = "this is the program's own voice")]
pub(super) fn say(line: &str) {
    match drawn() {
        Some(bars) => bars.suspend(|| eprintln!("{line}")),
        None => eprintln!("{line}"),
    }
}

/// Takes the bars away before the process ends without more ado.
pub(super) fn leave_the_terminal() {
    if let Some(bars) = drawn() {
        // A terminal that is gone cannot be left any tidier.
        let _ = bars.clear();
    }
}

/// Where log lines go.
struct Aside;

impl Write for Aside {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match drawn() {
            Some(bars) => bars.suspend(|| io::stderr().write(bytes)),
            None => io::stderr().write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// Warnings to standard error; more with `-v`, or by `RUST_LOG`.
pub(super) fn to_stderr(verbose: u8) {
    use tracing_subscriber::EnvFilter;
    let default = match verbose {
        0 => "error",
        1 => {
            "deskferry=info,deskferry_core=info,deskferry_source_kayako=info,deskferry_source_trengo=info,deskferry_sink_salesforce=info,warn"
        }
        _ => "debug",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    // A program that embeds this may have its own.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(|| Aside)
        .try_init();
}
