//! Credentials, kept until shortly before they expire or until AWS says that they are over.

use std::{sync::Arc, time::Duration};

use aws_credential_types::{
    Credentials,
    provider::{self, ProvideCredentials, SharedCredentialsProvider, error::CredentialsError, future},
};
use tokio::sync::Mutex;

use crate::time;

/// Before they expire, others are asked for. Roles last an hour, and a call half a minute.
const EARLY: Duration = Duration::from_mins(5);

/// A provider that remembers.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    from: Option<SharedCredentialsProvider>,
    held: Arc<Mutex<Option<Credentials>>>,
}

impl Kept {
    pub(super) fn over(from: Option<SharedCredentialsProvider>) -> Self {
        Self { from, held: Arc::default() }
    }

    /// The credentials.
    pub(super) async fn get(&self) -> provider::Result {
        let mut held = self.held.lock().await;
        if let Some(credentials) = held.as_ref().filter(|held| lasts(held)) {
            return Ok(credentials.clone());
        }
        let Some(from) = &self.from else {
            return Err(CredentialsError::not_loaded("nothing says where credentials come from"));
        };
        let credentials = from.provide_credentials().await?;
        *held = Some(credentials.clone());
        Ok(credentials)
    }

    /// AWS said that they are over, so the next call asks for others.
    pub(super) async fn forget(&self) {
        *self.held.lock().await = None;
    }
}

fn lasts(credentials: &Credentials) -> bool {
    credentials.expiry().is_none_or(|expiry| expiry > time::now() + EARLY)
}

impl ProvideCredentials for Kept {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.get())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    /// Hands out credentials that last so long, and counts.
    #[derive(Debug)]
    struct Source(Arc<AtomicU64>, Option<Duration>);

    impl ProvideCredentials for Source {
        fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            self.0.fetch_add(1, Ordering::Relaxed);
            let expiry = self.1.map(|lasts| time::now() + lasts);
            future::ProvideCredentials::ready(Ok(Credentials::new("a", "s", None, expiry, "test")))
        }
    }

    async fn asked(lasts: Option<Duration>, forget: bool) -> u64 {
        let count = Arc::new(AtomicU64::new(0));
        let kept = Kept::over(Some(SharedCredentialsProvider::new(Source(Arc::clone(&count), lasts))));
        kept.get().await.unwrap();
        if forget {
            kept.forget().await;
        }
        kept.get().await.unwrap();
        count.load(Ordering::Relaxed)
    }

    #[tokio::test]
    async fn credentials_are_asked_for_again_before_they_end_and_when_told_so() {
        assert_eq!(asked(None, false).await, 1);
        assert_eq!(asked(Some(Duration::from_hours(1)), false).await, 1);
        assert_eq!(asked(Some(Duration::from_mins(4)), false).await, 2);
        assert_eq!(asked(Some(Duration::from_hours(1)), true).await, 2);
        assert!(Kept::over(None).get().await.is_err());
    }
}
