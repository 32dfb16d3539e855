//! Behaviours that drivers lean on. Each is one body, a *row*, run on the twin and on a real API
//! server. The table of rows is README.md; `UPDATE=1` rewrites it.

mod charts;
mod readme;
mod row;
mod rows;
mod server;
