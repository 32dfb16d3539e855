//! The EKS cluster of a manifest.

use std::rc::Rc;

use switchback_schemas::{
    Diagnostic, codes,
    inventory::eks::{EksCluster, EksSection},
    manifest::TargetSpec,
    name::Label as Name,
};

use crate::{
    context::Cx,
    manifest::{Checks, DocRef},
};

/// A target that is there has to say which EKS cluster it is.
pub fn is_eks(name: &Name, checks: &mut Checks<'_, '_>) {
    let target = checks.platform().and_then(|platform| platform.spec.targets.get(name));
    if let Some(TargetSpec::Cluster(target)) = target
        && target.eks.is_none()
    {
        checks.with_platform(
            codes::MANIFEST_MISSING_FIELD,
            format!("target `{name}` does not say which EKS cluster it is"),
            ("/spec/target", "moves an EKS cluster"),
            (&format!("/spec/targets/{name}"), "`eks` is missing here"),
            format!("add it: `{name}: {{cluster: {{eks: {{name: NAME, region: eu-central-1, account: '111122223333'}}}}}}`"),
        );
    }
}

/// The cluster of a manifest as it was observed. What is missing is said.
pub fn observed(cx: &Cx<'_>, doc: DocRef, name: &Name) -> Option<EksCluster> {
    let place = |text: &str| cx.label(doc, "/spec/target", text);
    // A target that is no EKS cluster was refused when the manifests were read.
    let Some(TargetSpec::Cluster(target)) = cx.manifests.platform.spec.targets.get(name) else { return None };
    let eks = target.eks.as_ref()?;
    let section: Rc<EksSection> = match cx.sections.get("eks") {
        Ok(section) => section.unwrap_or_default(),
        Err(error) => {
            let unreadable = Diagnostic::error(codes::PLAN_UNREADABLE, error);
            cx.findings.say(unreadable.at(place("needs it")).help("observe again with this release"));
            return None;
        }
    };
    let Some(found) = section.0.get(name).cloned() else {
        let message = format!("the inventory holds nothing about the EKS cluster {}", eks.name);
        let help = "observe again and give the manifests to it, so that it knows account and region: \
                    `switchback observe MANIFESTS`";
        let missing = Diagnostic::error(codes::PLAN_INVENTORY_MISSING, message);
        cx.findings.say(missing.at(place("needs it")).help(help));
        return None;
    };
    let (region, account) = (found.arn.region(), found.arn.account());
    if found.arn.name() != eks.name || region != eks.region || account != eks.account.as_str() {
        let message = format!(
            "target {name} is the EKS cluster {} in {}, and the inventory is of {}",
            eks.name, eks.region, found.arn
        );
        let other = Diagnostic::error(codes::RUN_IDENTITY, message);
        cx.findings.say(other.at(place("another cluster")).help("observe this one"));
        return None;
    }
    Some(found)
}
