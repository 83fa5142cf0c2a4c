//! What a run shows while it goes: bars on a terminal, plain lines elsewhere.

mod bars;
mod lines;

use std::io::IsTerminal;
use std::sync::Arc;

use deskferry_core::Context;
use deskferry_core::http::Meter;
use deskferry_core::migration::{Progress, Silent, Step};
use deskferry_core::sink::Phase;

use bars::Bars;
use lines::Lines;

/// The progress of one verb. Clones are the same.
#[derive(Clone)]
pub(super) struct Shown {
    to: Arc<dyn Progress>,
    bars: Option<Arc<Bars>>,
}

impl Shown {
    pub(super) fn new(quiet: bool, cx: &Context, phases: &[Phase]) -> Self {
        if quiet {
            return Self {
                to: Arc::new(Silent),
                bars: None,
            };
        }
        if !can_draw(std::io::stderr().is_terminal(), |name| {
            std::env::var(name).ok()
        }) {
            return Self {
                to: Arc::new(Lines::new(cx)),
                bars: None,
            };
        }
        let bars = Arc::new(Bars::new(phases));
        super::log::draw(Some(bars.all()));
        bars::watch(&bars, cx);
        Self {
            to: Arc::clone(&bars) as Arc<dyn Progress>,
            bars: Some(bars),
        }
    }

    /// Nothing more is shown; the terminal is as it was.
    pub(super) fn end(&self) {
        if let Some(bars) = &self.bars {
            bars.clear();
            super::log::draw(None);
        }
    }
}

impl Progress for Shown {
    fn report(&self, step: Step<'_>) {
        self.to.report(step);
    }
}

/// Whether bars can be drawn: on a terminal that moves its cursor, with somebody before it.
fn can_draw(terminal: bool, variable: impl Fn(&str) -> Option<String>) -> bool {
    let is = |name: &str, value: &str| variable(name).is_some_and(|v| v == value);
    let set = |name: &str| variable(name).is_some_and(|v| !v.is_empty() && v != "false");
    terminal && !is("TERM", "dumb") && !set("CI")
}

/// What the sources still need, and until when. Nothing where nobody knows, or where nothing is left.
fn to_come(meter: &Meter) -> String {
    let outlooks = meter.outlooks().into_iter().filter(|(_, o)| o.left > 0);
    let lines = outlooks.map(|(platform, outlook)| {
        let (left, until) = (
            thousands(outlook.left),
            outlook.until.format("%d %b %H:%M UTC"),
        );
        format!("{platform}: about {left} requests to go, until {until}")
    });
    lines.collect::<Vec<_>>().join("; ")
}

/// 1234567 as `1,234,567`.
fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use deskferry_core::http::Outlook;

    #[test]
    fn bars_are_for_people_before_a_terminal() {
        for (terminal, variables, expected) in [
            (true, &[][..], true),
            (true, &[("TERM", "xterm")][..], true),
            (true, &[("CI", "false")][..], true),
            (false, &[][..], false),
            (true, &[("TERM", "dumb")][..], false),
            (true, &[("CI", "true")][..], false),
        ] {
            let variable = |name: &str| {
                let found = variables.iter().find(|(n, _)| *n == name);
                found.map(|(_, value)| (*value).to_owned())
            };
            assert_eq!(can_draw(terminal, variable), expected, "{variables:?}");
        }
    }

    #[test]
    fn what_a_source_still_needs_is_said_until_nothing_is_left() {
        let meter = Meter::new();
        let until = chrono::DateTime::UNIX_EPOCH + std::time::Duration::from_secs(90_000);
        for (left, text) in [
            (
                12_345,
                "desk: about 12,345 requests to go, until 02 Jan 01:00 UTC",
            ),
            (0, ""),
        ] {
            meter.foresee("desk", Outlook { left, until });
            assert_eq!(to_come(&meter), text);
        }
    }

    #[test]
    fn large_numbers_have_commas() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (12_345_678, "12,345,678"),
        ] {
            assert_eq!(thousands(number), text);
        }
    }
}
