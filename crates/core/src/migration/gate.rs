//! When a phase lets the next one open.

/// A threshold on what failed or is held, as a share of the phase's records. A few are always allowed, so that one bad
/// row of a small phase does not stop a run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gate {
    /// The share of a phase's records that may fail or be held, 0 to 1.
    pub share: f64,
    /// This many are always allowed.
    pub always: u64,
}

impl Default for Gate {
    fn default() -> Self {
        Self {
            share: 0.05,
            always: 10,
        }
    }
}

impl Gate {
    /// Lets nothing pass that failed or is held.
    #[must_use]
    pub const fn strict() -> Self {
        Self {
            share: 0.0,
            always: 0,
        }
    }

    /// Whether so many of so many may fail or be held.
    pub(super) fn allows(&self, bad: u64, read: u64) -> bool {
        bad <= self.always || bad as f64 <= self.share * read as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gate_counts_failed_and_held_against_a_share_or_a_handful() {
        for (bad, read, passes) in [
            (0, 0, true),
            (10, 20, true),
            (11, 20, false),
            (50, 1000, true),
            (51, 1000, false),
        ] {
            assert_eq!(Gate::default().allows(bad, read), passes, "{bad} {read}");
        }
        assert!(!Gate::strict().allows(1, 1000));
        assert!(Gate::strict().allows(0, 1000));
    }
}
