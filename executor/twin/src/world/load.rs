//! World files.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::World;

/// Why a world file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum WorldError {
    /// It is not what a world file looks like.
    #[error("not a world: {0}")]
    Parse(String),
    /// A file cannot be read.
    #[error("{path}: cannot be read")]
    Read {
        /// Which.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Its content does not fit.
    #[error("{0}")]
    Content(String),
}

impl World {
    /// The world as JSON: what a snapshot shows.
    pub fn to_json(&self) -> String {
        let objects: Vec<&Value> = self.objects().map(|(_, o)| &**o).collect();
        json!({"clock": self.now().to_string(), "objects": objects}).to_string()
    }

    pub(crate) fn log_len(&self) -> usize {
        self.log.len()
    }
}

#[expect(dead_code, reason = "filled in next")]
fn parse_clock(text: &str) -> Result<Timestamp, WorldError> {
    text.parse().map_err(|e: jiff::Error| WorldError::Parse(e.to_string()))
}
