//! Verifications that compare with what was before.

use switchback_model::{Graph, lint::lint};
use switchback_schemas::{
    HopId,
    plan::{CaptureKind, Plan},
};

use crate::world::{KARPENTER, PLATFORM, compiled, inventory};

const ERRORS: &str = r"
apiVersion: switchback.dev/v1alpha1
kind: Verification
metadata: {name: errors}
spec:
  check:
    prometheus: {url: 'http://prometheus.monitoring.svc:9090', query: errors, over: 10m, compare: at-most, baseline: {tolerancePercent: 10}, missing: fail}
";

fn plan(verified: &str) -> Plan {
    let manifest = format!("{KARPENTER}{verified}");
    let given = [("p.yaml", PLATFORM), ("k.yaml", manifest.as_str()), ("v.yaml", ERRORS)];
    let (plan, diagnostics) = compiled(&given, &inventory("1.5.8"), &["1.8.8"]);
    let plan = plan.unwrap_or_else(|| panic!("a plan, not {diagnostics:#?}"));
    assert_eq!(lint(&plan), []);
    plan
}

fn baselines(plan: &Plan) -> Vec<&HopId> {
    let of = plan.steps.iter().filter(|step| step.hop.part(&step.id) == Some("baseline"));
    of.map(|step| &step.hop).collect()
}

#[test]
fn a_hop_captures_what_it_compares_with_before_everything_else_of_it() {
    let plan = plan("  verify: [errors]\n");
    let hops = baselines(&plan);
    let [hop] = hops.as_slice() else { panic!("{hops:?}") };
    let graph = Graph::of(&plan).expect("a DAG");
    let number = |id| graph.number(id).expect("a step");
    let baseline = hop.step("baseline");
    let after = graph.descendants(number(&baseline));
    for step in plan.steps.iter().filter(|step| step.hop == **hop && step.id != baseline) {
        assert!(after.contains(&number(&step.id)), "{} may begin before it", step.id);
    }
    let step = plan.steps.iter().find(|step| step.id == baseline).expect("it");
    let captures = &step.work.captures;
    let [capture] = captures.as_slice() else { panic!("{captures:?}") };
    assert_eq!(capture.name, "errors");
    // One value, whatever the window that is asked for afterwards.
    assert!(matches!(&capture.what, CaptureKind::Prometheus(query) if query.promql() == "errors"));
}

#[test]
fn a_hop_without_comparisons_captures_nothing() {
    assert_eq!(baselines(&plan("")), Vec::<&HopId>::new());
}
