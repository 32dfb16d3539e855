//! Asking a run to come to rest: a signal, a time limit, a person at the terminal.

use tokio::sync::watch;

/// Asks a running executor to come to rest. Clones share it.
#[derive(Clone, Debug)]
pub struct Stop {
    asked: watch::Sender<Option<String>>,
}

impl Default for Stop {
    fn default() -> Self {
        Self { asked: watch::Sender::new(None) }
    }
}

impl Stop {
    /// One that nobody has asked yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks, with a reason that is shown. Only the first one counts.
    pub fn ask(&self, why: &str) {
        self.asked.send_if_modified(|asked| {
            let first = asked.is_none();
            asked.get_or_insert_with(|| why.to_owned());
            first
        });
    }

    /// Why it was asked, when it is.
    pub(super) async fn asked(&self) -> String {
        let mut asked = self.asked.subscribe();
        let why = asked.wait_for(Option::is_some).await.ok().and_then(|why| why.clone());
        why.unwrap_or_else(|| "stopped".to_owned())
    }
}
