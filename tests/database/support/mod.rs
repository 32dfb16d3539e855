//! What the tests stand on: the machine, programs that end with the test, PostgreSQL, MLflow, and what is known of it.

pub(crate) mod catalog;
pub(crate) mod ground;
pub(crate) mod host;
pub(crate) mod http;
pub(crate) mod mlflow;
pub(crate) mod postgres;
pub(crate) mod program;

pub(crate) use ground::Ground;
