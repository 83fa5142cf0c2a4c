//! Bars on a terminal: one per open phase, a line for the read, a line for whoever waits.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use deskferry_core::http::Meter;
use deskferry_core::migration::{Progress, Step};
use deskferry_core::sink::Phase;
use deskferry_core::{Context, RecordKind};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{thousands, to_come};

/// How often a second the terminal is drawn at most.
const HZ: u8 = 8;
/// How often waits and rates are looked at.
const LOOK: Duration = Duration::from_millis(500);
/// Shorter waits are a steady pace, not news.
const NEWS: i64 = 2;

/// Draws.
pub(super) struct Bars {
    all: MultiProgress,
    /// The kinds of each phase.
    kinds: BTreeMap<String, Vec<RecordKind>>,
    state: Mutex<State>,
}

struct State {
    began: Instant,
    read: ProgressBar,
    /// Only while somebody waits: an empty line would be counted wrongly when the bars step aside.
    waits: Option<ProgressBar>,
    verify: Option<ProgressBar>,
    seen: Seen,
    phases: BTreeMap<String, Open>,
}

/// What was read, and what was read back.
#[derive(Debug, Default)]
struct Seen {
    records: u64,
    rejected: u64,
    files: u64,
    bytes: u64,
    verified: u64,
    verify_began: Option<Instant>,
    at_the_end: bool,
}

/// A phase that is open.
struct Open {
    bar: ProgressBar,
    count: Count,
}

/// How far a phase is.
#[derive(Debug, Clone, Copy)]
struct Count {
    settled: u64,
    read: u64,
    /// How many were settled when it was opened: earlier runs' work says nothing of this one's pace.
    before: u64,
    began: Instant,
}

impl Bars {
    pub(super) fn new(phases: &[Phase]) -> Self {
        Self::on(ProgressDrawTarget::stderr_with_hz(HZ), phases)
    }

    fn on(target: ProgressDrawTarget, phases: &[Phase]) -> Self {
        let all = MultiProgress::with_draw_target(target);
        let read = line(&all);
        let kinds = phases
            .iter()
            .map(|phase| (phase.name.to_owned(), phase.kinds.to_vec()))
            .collect();
        Self {
            all,
            kinds,
            state: Mutex::new(State {
                began: Instant::now(),
                read,
                waits: None,
                verify: None,
                seen: Seen::default(),
                phases: BTreeMap::new(),
            }),
        }
    }

    pub(super) fn all(&self) -> MultiProgress {
        self.all.clone()
    }

    pub(super) fn clear(&self) {
        let state = self.lock();
        state.read.finish_and_clear();
        let lines = state.waits.iter().chain(&state.verify);
        for bar in lines.chain(state.phases.values().map(|o| &o.bar)) {
            bar.finish_and_clear();
        }
        // A terminal that is gone cannot be left any tidier.
        let _ = self.all.clear();
    }

    /// What nobody reports: waits, and rates that fall while nothing happens.
    fn look(&self, cx: &Context) {
        let mut state = self.lock();
        let text = news(cx.meter(), cx.now());
        if text.is_empty() {
            if let Some(bar) = state.waits.take() {
                bar.finish_and_clear();
                self.all.remove(&bar);
            }
        } else {
            let bar = state.waits.get_or_insert_with(|| line(&self.all));
            bar.set_message(text);
        }
        state.draw();
    }

    fn open(&self, state: &mut State, phase: &str, read: u64, settled: u64) {
        let bar = self.all.add(ProgressBar::new(read));
        bar.set_style(style("{prefix:9} {wide_bar} {msg}"));
        bar.set_prefix(phase.to_owned());
        let began = Instant::now();
        let count = Count {
            settled,
            read,
            before: settled,
            began,
        };
        if let Some(old) = state.phases.insert(phase.to_owned(), Open { bar, count }) {
            old.bar.finish_and_clear();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Progress for Bars {
    fn report(&self, step: Step<'_>) {
        let state = &mut *self.lock();
        match step {
            Step::Read {
                records,
                rejects,
                kinds,
                ..
            } => {
                state.seen.records += records as u64;
                state.seen.rejected += rejects as u64;
                for (phase, open) in &mut state.phases {
                    let takes = self.kinds.get(phase).map_or(&[][..], Vec::as_slice);
                    let more = kinds.iter().filter(|(kind, _)| takes.contains(kind));
                    open.count.read += more.map(|(_, n)| *n as u64).sum::<u64>();
                }
            }
            Step::File { bytes } => {
                state.seen.files += 1;
                state.seen.bytes += bytes;
            }
            Step::ReadToTheEnd => state.seen.at_the_end = true,
            Step::Opened {
                phase,
                read,
                settled,
            } => self.open(state, phase, read, settled),
            Step::Settled { phase, records } => {
                if let Some(open) = state.phases.get_mut(phase) {
                    open.count.settled += records as u64;
                }
            }
            Step::Closed { phase } => {
                if let Some(open) = state.phases.remove(phase) {
                    open.bar.finish_and_clear();
                    self.all.remove(&open.bar);
                }
            }
            Step::Verified { records, .. } => {
                state.seen.verified += records as u64;
                if state.verify.is_none() {
                    state.verify = Some(line(&self.all));
                    state.seen.verify_began = Some(Instant::now());
                }
            }
            _ => {}
        }
        state.draw();
    }
}

impl State {
    fn draw(&mut self) {
        let now = Instant::now();
        self.read.set_message(self.seen.read_line(now - self.began));
        for open in self.phases.values() {
            let count = &open.count;
            open.bar.set_length(count.read.max(count.settled));
            open.bar.set_position(count.settled);
            open.bar
                .set_message(count.text(now - count.began, self.seen.at_the_end));
        }
        if let (Some(bar), Some(began)) = (&self.verify, self.seen.verify_began) {
            let (verified, pace) = (self.seen.verified, rate(self.seen.verified, now - began));
            bar.set_message(format!("verify    {} records, {pace}", thousands(verified)));
        }
    }
}

impl Seen {
    fn read_line(&self, time: Duration) -> String {
        let mut line = format!("read      {} records", thousands(self.records));
        if self.rejected > 0 {
            line.push_str(&format!(", {} rejected", thousands(self.rejected)));
        }
        let megabytes = self.bytes as f64 / 1e6;
        line.push_str(&format!(
            ", {} files ({megabytes:.1} MB)",
            thousands(self.files)
        ));
        if self.at_the_end {
            line.push_str(", all of it");
        } else {
            line.push_str(&format!(", {}", rate(self.records, time)));
        }
        line
    }
}

impl Count {
    /// While the read goes on nobody knows how many there will be: no time is promised.
    fn text(&self, time: Duration, read_to_the_end: bool) -> String {
        let (settled, read) = (thousands(self.settled), thousands(self.read));
        let done = self.settled - self.before.min(self.settled);
        let pace = rate(done, time);
        if !read_to_the_end {
            return format!("{settled} of {read} read so far, {pace}");
        }
        let left = self.read.saturating_sub(self.settled);
        let eta = match done {
            0 => String::new(),
            done => format!(", {} left", span(time.mul_f64(left as f64 / done as f64))),
        };
        format!("{settled} of {read}, {pace}{eta}")
    }
}

/// What is still to come, and who waits.
fn news(meter: &Meter, now: chrono::DateTime<chrono::Utc>) -> String {
    let lines = [to_come(meter), waiting(meter, now)];
    let told: Vec<String> = lines.into_iter().filter(|line| !line.is_empty()).collect();
    told.join("; ")
}

/// Who waits for a limit, and how long.
fn waiting(meter: &Meter, now: chrono::DateTime<chrono::Utc>) -> String {
    let lines = meter.waits().into_iter().filter_map(|(platform, until)| {
        let seconds = (until - now).num_seconds();
        (seconds >= NEWS).then(|| format!("waiting {seconds} s: limit of {platform}"))
    });
    lines.collect::<Vec<_>>().join("; ")
}

fn rate(count: u64, time: Duration) -> String {
    let seconds = time.as_secs_f64().max(0.001);
    format!("{:.0}/s", count as f64 / seconds)
}

/// A time for people: the two largest units.
fn span(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
    }
}

/// A line of text among the bars.
fn line(all: &MultiProgress) -> ProgressBar {
    let bar = all.add(ProgressBar::no_length());
    bar.set_style(style("{wide_msg}"));
    bar
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("━╸ ")
}

/// Looks twice a second, until the bars are gone.
pub(super) fn watch(bars: &Arc<Bars>, cx: &Context) {
    let (bars, cx): (Weak<Bars>, Context) = (Arc::downgrade(bars), cx.clone());
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(LOOK).await;
            let Some(bars) = bars.upgrade() else { return };
            bars.look(&cx);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_time_is_promised_before_the_read_is_at_its_end() {
        let count = Count {
            settled: 1_500,
            read: 4_500,
            before: 500,
            began: Instant::now(),
        };
        let time = Duration::from_secs(10);
        for (at_the_end, expected) in [
            (false, "1,500 of 4,500 read so far, 100/s"),
            (true, "1,500 of 4,500, 100/s, 30 s left"),
        ] {
            assert_eq!(count.text(time, at_the_end), expected);
        }
        let idle = Count {
            settled: 500,
            ..count
        };
        assert_eq!(idle.text(time, true), "500 of 4,500, 0/s");
    }

    #[test]
    fn times_have_the_two_largest_units() {
        for (seconds, text) in [(59, "59 s"), (61, "1 min 1 s"), (7_320, "2 h 2 min")] {
            assert_eq!(span(Duration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn a_phase_grows_by_what_is_read_of_its_kinds_and_goes_when_it_is_closed() {
        let phases = [Phase::new("cases", &[RecordKind::Conversation])];
        let bars = Bars::on(ProgressDrawTarget::hidden(), &phases);
        bars.report(Step::Opened {
            phase: "cases",
            read: 10,
            settled: 4,
        });
        let kinds = BTreeMap::from([(RecordKind::Conversation, 5), (RecordKind::Message, 70)]);
        bars.report(Step::Read {
            shard: "s",
            records: 75,
            rejects: 0,
            kinds: &kinds,
        });
        bars.report(Step::Settled {
            phase: "cases",
            records: 6,
        });
        let count = |bars: &Bars| {
            bars.lock()
                .phases
                .get("cases")
                .map(|o| (o.count.settled, o.count.read))
        };
        assert_eq!(count(&bars), Some((10, 15)));
        bars.report(Step::Closed { phase: "cases" });
        assert_eq!(count(&bars), None);
    }
}
