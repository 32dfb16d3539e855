//! Upgrades walked by the built commands with the real controller at work: on a control plane of its own each, by real helms, under the
//! roles alone that `switchback permissions` prints. Judged by what stands on the API server afterwards.

mod argo_workflows;
mod gpu_operator;
mod karpenter;
