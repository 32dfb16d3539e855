//! Cases of the compiler: manifests, inventory and lock in, plan or diagnostics out.

#![allow(clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod argo_refused;
mod argo_workflows;
mod bounded;
mod continued;
mod deletions;
mod eks;
mod eks_large;
mod eks_refused;
mod finished;
mod fleet;
mod gpu;
mod gpu_driver;
mod gpu_driver_by_hand;
mod gpu_image;
mod gpu_image_refused;
mod joint;
mod karpenter;
mod known_release;
mod kserve;
mod kserve_backup;
mod kserve_split;
mod mlflow;
mod mlflow_refused;
mod nvsentinel;
mod outside;
mod refusals;
mod rocm_driver;
#[path = "../solver/states.rs"]
mod states;
mod verifications;
mod ways;
mod world;
mod world_argo;
mod world_eks;
mod world_gpu;
mod world_gpu_image;
mod world_kserve;
mod world_mlflow;
