//! Figures as a table, and where they come from.

use std::time::Instant;

/// A heading, then rows of equally many cells.
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these columns, under a title.
    pub(crate) fn new(title: &str, columns: &[&str]) -> Self {
        println!("\n{title}");
        Self {
            rows: vec![columns.iter().map(|c| (*c).to_owned()).collect()],
        }
    }

    pub(crate) fn row(&mut self, cells: &[String]) {
        self.rows.push(cells.to_vec());
    }

    pub(crate) fn print(self) {
        let widths: Vec<usize> = (0..self.rows[0].len())
            .map(|n| {
                let cells = self.rows.iter().map(|row| row[n].chars().count());
                cells.max().unwrap_or(0)
            })
            .collect();
        for row in &self.rows {
            let cells = row
                .iter()
                .zip(&widths)
                .enumerate()
                .map(|(n, (cell, width))| {
                    if n == 0 {
                        format!("{cell:<width$}")
                    } else {
                        format!("{cell:>width$}")
                    }
                });
            println!("  {}", cells.collect::<Vec<_>>().join("  "));
        }
    }
}

/// A whole number with its thousands apart.
pub(crate) fn whole(number: f64) -> String {
    if !number.is_finite() {
        return String::new();
    }
    let digits = format!("{:.0}", number);
    let mut out = String::new();
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A number with two places behind the point.
pub(crate) fn fine(number: f64) -> String {
    if number.is_finite() {
        format!("{number:.2}")
    } else {
        String::new()
    }
}

/// Time by the clock and time of this process's processors since a moment.
pub(crate) struct Watch {
    started: Instant,
    processor: f64,
}

/// Seconds.
#[derive(Clone, Copy)]
pub(crate) struct Spent {
    pub(crate) wall: f64,
    /// Not a number where the system does not tell.
    pub(crate) processor: f64,
}

impl Watch {
    pub(crate) fn start() -> Self {
        Self {
            started: Instant::now(),
            processor: processor_seconds(),
        }
    }

    pub(crate) fn spent(&self) -> Spent {
        Spent {
            wall: self.started.elapsed().as_secs_f64(),
            processor: processor_seconds() - self.processor,
        }
    }
}

/// Processor time of all threads of this process, in seconds (Linux counts it in hundredths).
fn processor_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
    let fields: Vec<&str> = after_name.split(' ').collect();
    let ticks = |n: usize| fields.get(n).and_then(|f| f.parse::<f64>().ok());
    match (ticks(11), ticks(12)) {
        (Some(user), Some(system)) => (user + system) / 100.0,
        _ => f64::NAN,
    }
}

/// The most memory that this process held at once, in MiB.
pub(crate) fn peak_mebibytes() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .and_then(|rest| rest.trim().trim_end_matches(" kB").parse::<f64>().ok())
        .map_or(f64::NAN, |kib| kib / 1024.0)
}

/// A small generator: the same numbers in every run.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        (self.next() >> 11) % bound.max(1)
    }

    /// The numbers from 1, in random order.
    pub(crate) fn shuffled(&mut self, count: u64) -> Vec<i64> {
        let mut numbers: Vec<i64> = (1..=count.cast_signed()).collect();
        for n in (1..numbers.len()).rev() {
            let other = usize::try_from(self.below(n as u64 + 1)).unwrap_or(0);
            numbers.swap(n, other);
        }
        numbers
    }
}
