//! Components: one folder each, registered here. They never import each other; order between them follows from facts.

pub mod argo_workflows;
pub mod deployment;
pub mod eks;
pub mod gpu_driver;
pub mod gpu_node_image;
pub mod gpu_operator;
pub mod helm_release;
pub mod karpenter;
pub mod kserve;
pub mod mlflow;
pub mod nvsentinel;
pub mod rocm_driver;

use std::sync::LazyLock;

use switchback_schemas::Diagnostic;

use crate::{component::AnyComponent, registry::Registry};

/// Every component of this build. A new one is its folder and a line here.
pub const COMPONENTS: [&dyn AnyComponent; 12] = [
    &karpenter::Karpenter,
    &eks::Eks,
    &deployment::Deployment,
    &helm_release::HelmRelease,
    &mlflow::Mlflow,
    &argo_workflows::ArgoWorkflows,
    &kserve::Kserve,
    &gpu_operator::GpuOperator,
    &gpu_driver::GpuDriver,
    &gpu_node_image::GpuNodeImage,
    &nvsentinel::Nvsentinel,
    &rocm_driver::RocmDriver,
];

/// The registry of [`COMPONENTS`]. An error is a bug of this build.
pub fn built_in() -> Result<&'static Registry<'static>, Diagnostic> {
    static BUILT_IN: LazyLock<Result<Registry<'static>, Diagnostic>> =
        LazyLock::new(|| Registry::new(&COMPONENTS));
    BUILT_IN.as_ref().map_err(Clone::clone)
}
