//! Models that are asked whether they serve: the first of them as soon as the new version acts, all of them at the end.

use std::collections::BTreeMap;

use switchback_schemas::{
    Seconds, StepId,
    inventory::kserve::InferenceService,
    manifest::InferenceProtocol,
    plan::{Condition, Disruption, Estimate, Verify, WebCondition},
};

use super::{
    ServedModel, controller, modes,
    restarts::Restarted,
    road::{HEALTH, Road},
};
use crate::{
    lower::{Lowering, verify},
    verification,
};

impl Road<'_> {
    /// Waits for the service of the first model, with its new pods where it is restarted, and asks it: what the new version does to it, it
    /// does to all.
    pub(super) fn canary(&self, after: &StepId, restarted: &[Restarted<'_>], out: &mut Lowering) -> StepId {
        let Some(model) = self.doc.spec.models.first() else { return after.clone() };
        let service = served_by(&model.url, &self.section.services);
        let rolls = service
            .is_some_and(|service| restarted.iter().any(|restarted| restarted.service.name == service.name));
        let well = service.and_then(|service| modes::is_well(service, rolls));
        let until = std::iter::once(controller::rolled_out(&self.section.controller)).chain(well).collect();
        let whose =
            service.map_or_else(String::new, |service| format!(" of InferenceService {}", service.name));
        let title = format!("check model {}{whose} as the canary under KServe {}", model.name, self.hop.to);
        let disruption = if rolls { Disruption::Restart } else { Disruption::None };
        let draft = self
            .scope
            .look("canary", title, Condition::All(until), Vec::new())
            .needs(after, "the new version acts, and one model shows what it does to all of them", None)
            .verify([asks(model)])
            .disrupts(disruption, None)
            .time(HEALTH, Estimate::seconds(30, 600));
        out.add(draft)
    }
}

/// The service that answers at an address: by its own URL, or by the Service in the cluster that is named after it.
fn served_by<'a>(url: &str, services: &'a [InferenceService]) -> Option<&'a InferenceService> {
    let host = host(url)?;
    services.iter().find(|service| {
        let (name, namespace) = (&service.name.name, service.name.namespace.as_deref().unwrap_or_default());
        let is_under = |prefix: String| {
            host.strip_prefix(&prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        service.url.as_deref().and_then(self::host) == Some(host)
            || ["", "-predictor", "-predictor-default"]
                .iter()
                .any(|suffix| is_under(format!("{name}{suffix}.{namespace}")))
    })
}

/// The host of an address, without its port.
fn host(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    rest.split(['/', ':', '?']).next().filter(|host| !host.is_empty())
}

/// Asks a model whether it serves.
pub(super) fn asks(model: &ServedModel) -> Verify {
    let (url, name) = (model.url.trim_end_matches('/'), &model.name);
    let (path, contains) = match model.protocol {
        InferenceProtocol::V1 => (format!("/v1/models/{name}"), Some(name.clone())),
        InferenceProtocol::V2 => (format!("/v2/models/{name}/ready"), None),
        InferenceProtocol::Openai => ("/openai/v1/models".to_owned(), Some(name.clone())),
    };
    let loaded = Condition::Web(WebCondition::answers(format!("{url}{path}"), contains));
    let condition = match model.input.as_slice() {
        [] => loaded,
        input => Condition::All(vec![
            loaded,
            verification::inference(url, model.protocol, name, input, &BTreeMap::new()),
        ]),
    };
    verify(format!("{url} serves model {name}"), condition, Seconds(10), Seconds::minutes(10))
}

#[cfg(test)]
mod tests {
    use switchback_schemas::name::ObjectName;

    use super::*;

    #[test]
    fn a_model_is_of_the_service_that_its_address_names() {
        let service = |name: &str, url: Option<&str>| InferenceService {
            name: ObjectName::namespaced("ml", name),
            ready: true,
            url: url.map(str::to_owned),
            mode: None,
            mode_seen: None,
            runtime: None,
            fetches: false,
            predictors: Vec::new(),
        };
        let services = [service("iris", None), service("iris-2", Some("https://two.example.com"))];
        let of = |url: &str| served_by(url, &services).map(|service| service.name.name.as_str());
        assert_eq!(of("http://iris-predictor.ml.svc"), Some("iris"));
        assert_eq!(of("http://iris.ml:8080/"), Some("iris"));
        assert_eq!(of("http://iris-2-predictor.ml.svc.cluster.local/v1"), Some("iris-2"));
        assert_eq!(of("https://two.example.com/v1"), Some("iris-2"));
        for nobody in ["http://iris-predictor.mlx.svc", "http://iris-predictor.other.svc", "no address"] {
            assert_eq!(of(nobody), None, "{nobody}");
        }
    }
}
