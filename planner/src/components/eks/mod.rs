//! EKS: control plane, add-ons and nodes, one minor after the other. README.md says what is known about it and where the usual
//! procedure fails.

pub mod facts;
