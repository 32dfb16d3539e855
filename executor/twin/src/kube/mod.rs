//! Kubernetes: the API server, and the controllers that act on what it stores.

pub(crate) mod api;
pub(crate) mod controllers;
pub(crate) mod error;
pub(crate) mod fields;
pub(crate) mod neighbours;
