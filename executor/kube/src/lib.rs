//! Drivers and observers that speak to a Kubernetes API server.
