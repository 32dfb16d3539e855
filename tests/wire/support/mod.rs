//! What the tests share: the commands, scenes to run them in, and how worlds are compared.

pub(crate) mod beside;
pub(crate) mod bins;
pub(crate) mod gpus;
pub(crate) mod http;
pub(crate) mod journal;
pub(crate) mod karpenter;
pub(crate) mod kubectl;
pub(crate) mod manifests;
pub(crate) mod mlops;
pub(crate) mod projection;
pub(crate) mod scene;
