use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::future::join_all;

use crate::error::{Error, ErrorKind, Result};
use crate::http::Session;

#[derive(Default)]
struct Logins(AtomicUsize);

impl Logins {
    async fn succeed(&self) -> Result<usize> {
        tokio::task::yield_now().await;
        Ok(self.0.fetch_add(1, Ordering::SeqCst) + 1)
    }

    async fn fail(&self, kind: ErrorKind) -> Result<usize> {
        let number = self.succeed().await?;
        Err(Error::new(kind, "log in", format!("refused {number}"))
            .with("status", 401)
            .advise("Check the password"))
    }

    fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

#[tokio::test]
async fn however_many_ask_at_once_one_login_runs() {
    let (session, logins) = (Session::new(), Logins::default());
    let all = join_all((0..20).map(|_| session.get(|| logins.succeed()))).await;
    assert!(all.into_iter().all(|s| *s.unwrap() == 1));
    assert_eq!(logins.count(), 1);
}

#[tokio::test]
async fn of_many_that_fail_with_the_same_session_one_renews_it() {
    let (session, logins) = (Session::new(), Logins::default());
    let stale = session.get(|| logins.succeed()).await.unwrap();
    let all = join_all((0..20).map(|_| session.renew(&stale, || logins.succeed()))).await;
    assert!(all.into_iter().all(|s| *s.unwrap() == 2));
    // One that comes late with the old session gets the new one.
    assert_eq!(
        *session.renew(&stale, || logins.succeed()).await.unwrap(),
        2
    );
    assert_eq!(logins.count(), 2);
}

#[tokio::test]
async fn refused_credentials_are_never_tried_again() {
    let (session, logins) = (Session::<usize>::new(), Logins::default());
    let all = join_all((0..20).map(|_| session.get(|| logins.fail(ErrorKind::Credentials)))).await;
    for result in all {
        let error = result.unwrap_err();
        assert_eq!(
            error.to_string(),
            "log in: refused 1 [status: 401]. Check the password"
        );
        assert_eq!(error.kind(), ErrorKind::Credentials);
    }
    session.get(|| logins.succeed()).await.unwrap_err();
    assert_eq!(logins.count(), 1);
}

#[tokio::test]
async fn a_login_that_may_heal_is_not_repeated_by_those_who_waited_but_by_the_next() {
    let (session, logins) = (Session::new(), Logins::default());
    let stale = session.get(|| logins.succeed()).await.unwrap();
    let all =
        join_all((0..20).map(|_| session.renew(&stale, || logins.fail(ErrorKind::Unavailable))))
            .await;
    assert!(
        all.into_iter()
            .all(|r| r.unwrap_err().message() == "refused 2")
    );
    assert_eq!(logins.count(), 2);
    assert_eq!(
        *session.renew(&stale, || logins.succeed()).await.unwrap(),
        3
    );
}

#[tokio::test]
async fn a_caller_that_is_dropped_leaves_the_login_to_the_next() {
    let (session, logins) = (Session::new(), Logins::default());
    let mut dropped = Box::pin(session.get(|| async {
        std::future::pending::<()>().await;
        Ok(0)
    }));
    assert!(futures::poll!(&mut dropped).is_pending());
    drop(dropped);
    assert_eq!(*session.get(|| logins.succeed()).await.unwrap(), 1);
}

#[tokio::test]
async fn a_session_that_was_taken_away_is_opened_anew() {
    let (session, logins) = (Session::new(), Logins::default());
    assert_eq!(session.take().await, None);
    session.get(|| logins.succeed()).await.unwrap();
    assert_eq!(session.take().await, Some(Arc::new(1)));
    assert_eq!(*session.get(|| logins.succeed()).await.unwrap(), 2);
}
