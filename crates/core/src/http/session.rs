use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Mutex;

use crate::error::{Error, ErrorKind, Result};

/// One login shared by all workers.
///
/// However many ask at once, one login runs and all get its session, or its error. A login that the platform refused
/// (any error that trying again cannot heal) is never repeated: accounts lock after a few. One that failed for
/// another reason is repeated by the next who asks later, not by those who were waiting for it.
///
/// A caller that is dropped while it logs in leaves the login to the next one.
pub struct Session<T> {
    state: Mutex<State<T>>,
    logins: AtomicU64,
}

enum State<T> {
    Empty,
    Open(Arc<T>),
    Failed(Error),
}

impl<T> Session<T> {
    /// Nobody is logged in.
    #[must_use]
    pub fn new() -> Self {
        Self {
            state: Mutex::new(State::Empty),
            logins: AtomicU64::new(0),
        }
    }

    /// The session; logs in if there is none.
    ///
    /// # Errors
    /// The login's own error, also to those who waited for it.
    pub async fn get<F, Fut>(&self, login: F) -> Result<Arc<T>>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<T>>,
    {
        self.obtain(None, login).await
    }

    /// A session other than `stale`, which the platform no longer accepts; logs in unless somebody did already.
    ///
    /// # Errors
    /// The login's own error, also to those who waited for it.
    pub async fn renew<F, Fut>(&self, stale: &Arc<T>, login: F) -> Result<Arc<T>>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<T>>,
    {
        self.obtain(Some(stale), login).await
    }

    /// Takes the session away, to log out; the next who asks logs in again.
    pub async fn take(&self) -> Option<Arc<T>> {
        let mut state = self.state.lock().await;
        match &*state {
            State::Open(session) => {
                let session = Arc::clone(session);
                *state = State::Empty;
                Some(session)
            }
            State::Empty | State::Failed(_) => None,
        }
    }

    async fn obtain<F, Fut>(&self, stale: Option<&Arc<T>>, login: F) -> Result<Arc<T>>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<T>>,
    {
        let before = self.logins.load(Ordering::Acquire);
        let mut state = self.state.lock().await;
        match &*state {
            State::Open(session) if stale.is_none_or(|stale| !Arc::ptr_eq(stale, session)) => {
                return Ok(Arc::clone(session));
            }
            State::Failed(error) => {
                let while_waiting = self.logins.load(Ordering::Acquire) > before;
                if while_waiting || !may_heal(error) {
                    return Err(error.duplicate());
                }
            }
            State::Open(_) | State::Empty => {}
        }
        *state = State::Empty;
        let result = login().await;
        self.logins.fetch_add(1, Ordering::AcqRel);
        match result {
            Ok(session) => {
                let session = Arc::new(session);
                *state = State::Open(Arc::clone(&session));
                Ok(session)
            }
            Err(error) => {
                *state = State::Failed(error.duplicate());
                Err(error)
            }
        }
    }
}

impl<T> Default for Session<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> fmt::Debug for Session<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("logins", &self.logins.load(Ordering::Relaxed))
            .finish_non_exhaustive()
    }
}

/// Whether a login that failed so may be tried again.
fn may_heal(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Unavailable
            | ErrorKind::RateLimited
            | ErrorKind::Cancelled
            | ErrorKind::Storage
            | ErrorKind::Quota
    )
}
