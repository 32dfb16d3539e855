//! Behaviours that drivers lean on, one body run on the twin and on a real API server.
