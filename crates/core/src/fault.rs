//! Named places of the commit protocol at which tests kill the process or let the disk fail.
//!
//! Without the feature `fault-points` every point is an empty function.

/// Passes a named point. With the feature `fault-points` and `DESKFERRY_KILL_AT=name:n` the process dies here at the
/// `n`-th pass, as by `kill -9`; with `DESKFERRY_FAIL_AT=name:n` the point answers the error of a full disk.
#[cfg(feature = "fault-points")]
pub(crate) fn point(name: &'static str) -> std::io::Result<()> {
    imp::point(name)
}

/// Passes a named point: nothing happens.
#[cfg(not(feature = "fault-points"))]
#[inline]
pub(crate) fn point(_name: &'static str) -> std::io::Result<()> {
    Ok(())
}

/// The points, in the order in which a record passes them.
pub const POINTS: [&str; 10] = [
    "stage-append",
    "stage-sync",
    "stage-index",
    "stage-committed",
    "blob-rename",
    "blob-index",
    "ledger-intend",
    "ledger-intended",
    "ledger-settle",
    "ledger-settled",
];

#[cfg(feature = "fault-points")]
mod imp {
    use std::collections::HashMap;
    use std::sync::{Mutex, OnceLock};

    struct Plan {
        name: String,
        pass: u32,
    }

    fn plan(variable: &str) -> Option<Plan> {
        let text = std::env::var(variable).ok()?;
        let (name, pass) = text.split_once(':').unwrap_or((&text, "1"));
        Some(Plan {
            name: name.to_owned(),
            pass: pass.parse().ok()?,
        })
    }

    struct Plans {
        kill: Option<Plan>,
        fail: Option<Plan>,
        passes: Mutex<HashMap<&'static str, u32>>,
    }

    fn plans() -> &'static Plans {
        static PLANS: OnceLock<Plans> = OnceLock::new();
        PLANS.get_or_init(|| Plans {
            kill: plan("DESKFERRY_KILL_AT"),
            fail: plan("DESKFERRY_FAIL_AT"),
            passes: Mutex::new(HashMap::new()),
        })
    }

    pub(super) fn point(name: &'static str) -> std::io::Result<()> {
        let plans = plans();
        if plans.kill.is_none() && plans.fail.is_none() {
            return Ok(());
        }
        let pass = {
            let mut passes = plans
                .passes
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            let pass = passes.entry(name).or_insert(0);
            *pass += 1;
            *pass
        };
        if plans
            .kill
            .as_ref()
            .is_some_and(|k| k.name == name && k.pass == pass)
        {
            std::process::abort();
        }
        if plans
            .fail
            .as_ref()
            .is_some_and(|f| f.name == name && f.pass == pass)
        {
            return Err(std::io::Error::from(std::io::ErrorKind::StorageFull));
        }
        Ok(())
    }
}
