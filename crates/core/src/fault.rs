//! Named places of the commit protocol at which tests kill the process or let the disk fail.
//!
//! Without the feature `fault-points` every point is an empty function.

/// Passes a named point. With the feature `fault-points` and `DESKFERRY_KILL_AT=name:n` the process dies here at the
/// `n`-th pass, as by `kill -9`; with `DESKFERRY_FAIL_AT=name:n` the point answers the error of a full disk, with
/// `name:n:io` that of a disk which fails (a sync that did not go through), with `name:n:read-only` that of a disk which cannot
/// be written.
///
/// # Errors
/// Those that were asked for; without the feature none.
#[cfg(feature = "fault-points")]
pub fn point(name: &'static str) -> std::io::Result<()> {
    imp::point(name)
}

/// Passes a named point: nothing happens.
///
/// # Errors
/// None.
#[cfg(not(feature = "fault-points"))]
#[inline]
pub fn point(_name: &'static str) -> std::io::Result<()> {
    Ok(())
}

/// Writes bytes at a named point. With `DESKFERRY_FAIL_AT=name:n:short` half of them are written before the disk is full.
pub(crate) fn write_at(
    name: &'static str,
    to: &mut impl std::io::Write,
    bytes: &[u8],
) -> std::io::Result<()> {
    match point(name) {
        Err(error) if error.kind() == std::io::ErrorKind::WriteZero => {
            to.write_all(&bytes[..bytes.len() / 2])?;
            Err(std::io::ErrorKind::StorageFull.into())
        }
        passed => passed.and_then(|()| to.write_all(bytes)),
    }
}

/// The points, in the order in which a record passes them.
pub const POINTS: [&str; 15] = [
    "stage-begin",
    "stage-append",
    "stage-sync",
    "stage-index",
    "stage-committed",
    "blob-write",
    "blob-sync",
    "blob-rename",
    "blob-index",
    "ledger-intend",
    "ledger-intended",
    "ledger-settle",
    "ledger-settled",
    "ledger-finish",
    "undo-answered",
];

#[cfg(feature = "fault-points")]
mod imp {
    use std::collections::HashMap;
    use std::io::{Error, ErrorKind};
    use std::sync::{Mutex, OnceLock};

    struct Plan {
        name: String,
        pass: u32,
        how: String,
    }

    impl Plan {
        fn is_now(&self, name: &str, pass: u32) -> bool {
            self.name == name && self.pass == pass
        }

        fn error(&self) -> Error {
            match self.how.as_str() {
                // EIO, which has no kind of its own.
                "io" => Error::from_raw_os_error(5),
                "short" => ErrorKind::WriteZero.into(),
                "read-only" => ErrorKind::ReadOnlyFilesystem.into(),
                _ => ErrorKind::StorageFull.into(),
            }
        }
    }

    fn plan(variable: &str) -> Option<Plan> {
        let text = std::env::var(variable).ok()?;
        let mut words = text.split(':');
        Some(Plan {
            name: words.next()?.to_owned(),
            pass: words.next().unwrap_or("1").parse().ok()?,
            how: words.next().unwrap_or_default().to_owned(),
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
        if plans.kill.as_ref().is_some_and(|k| k.is_now(name, pass)) {
            std::process::abort();
        }
        match plans.fail.as_ref().filter(|f| f.is_now(name, pass)) {
            Some(plan) => Err(plan.error()),
            None => Ok(()),
        }
    }
}
