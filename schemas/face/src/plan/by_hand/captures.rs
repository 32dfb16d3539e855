//! What a step captures, by hand: read into a variable before the step changes anything.

use switchback_schemas::{
    StepId,
    plan::{Capture, CaptureKind, CloudCapture, CloudKind, Find, KubeCapture, Plan},
};

use super::{
    aws, helm, kube,
    word::{Variables, quoted},
};

pub(super) fn commands(
    plan: &Plan,
    step: &StepId,
    captures: &[Capture],
    variables: &mut Variables,
) -> Vec<String> {
    let line = |capture: &Capture| {
        let Ok(what) = capture.what.map(variables);
        let read = match &what {
            CaptureKind::Kube(KubeCapture::Field { object, pointer }) => {
                format!("{} --output json | {}", kube::on("get", &object.object), field("", pointer))
            }
            CaptureKind::Kube(KubeCapture::Objects(objects)) => {
                let each = |object: &switchback_schemas::plan::BoundObject| {
                    format!("{} --output json --ignore-not-found", kube::on("get", &object.object))
                };
                let all: Vec<String> = objects.iter().map(each).collect();
                format!("{{ {}; }} | jq --slurp --compact-output .", all.join("; "))
            }
            CaptureKind::Kube(KubeCapture::Found(find)) => {
                format!("{} --output json | jq --compact-output .items", kube::found(find))
            }
            CaptureKind::Kube(KubeCapture::Kinds(finds)) => {
                let each = |find: &Find| format!("{} --output json", kube::found(find));
                let all: Vec<String> = finds.iter().map(each).collect();
                format!("{{ {}; }} | jq --slurp --compact-output 'map(.items[])'", all.join("; "))
            }
            CaptureKind::Kube(KubeCapture::Revision(release)) => {
                let name = quoted(&release.name);
                let last = quoted("map(select(.status == \"deployed\")) | last | .revision");
                format!("helm history {name}{} --output json | jq {last}", helm::within(release))
            }
            CaptureKind::Cloud(CloudCapture { of, pointer }) => {
                let inside = match of.kind {
                    CloudKind::EksCluster => ".cluster",
                    CloudKind::EksAddon => ".addon",
                    CloudKind::EksNodegroup => ".nodegroup",
                    CloudKind::RdsInstance => ".DBInstances[0]",
                    CloudKind::RdsSnapshot => ".DBSnapshots[0]",
                };
                format!("{} --output json | {}", aws::describe(plan, of), field(inside, pointer))
            }
            CaptureKind::Prometheus(query) => {
                let server = quoted(&format!("{}/api/v1/query", query.url.trim_end_matches('/')));
                let query = quoted(&format!("query={}", query.promql()));
                format!(
                    "curl --silent --get {server} --data-urlencode {query} | jq --raw-output '.data.result[0].value[1]'"
                )
            }
        };
        format!("{}=$({read})", variables.set(step, &capture.name))
    };
    captures.iter().map(line).collect()
}

/// A field at a JSON pointer, by `jq`.
fn field(inside: &str, pointer: &str) -> String {
    let part = |part: &str| match part.parse::<usize>() {
        Ok(number) => number.to_string(),
        Err(_) => serde_json::Value::from(part.replace("~1", "/").replace("~0", "~")).to_string(),
    };
    let path: Vec<String> = pointer.split('/').skip(1).map(part).collect();
    let path = match (inside, path.is_empty()) {
        ("", true) => ".".to_owned(),
        (inside, true) => inside.to_owned(),
        ("", false) => format!("getpath([{}])", path.join(",")),
        (inside, false) => format!("{inside} | getpath([{}])", path.join(",")),
    };
    format!("jq --compact-output {}", quoted(&path))
}

#[cfg(test)]
mod tests {
    use super::field;

    #[test]
    fn a_pointer_is_a_path_of_jq() {
        assert_eq!(
            field("", "/spec/containers/0/a~1b"),
            r#"jq --compact-output 'getpath(["spec","containers",0,"a/b"])'"#
        );
        assert_eq!(field(".nodegroup", ""), "jq --compact-output .nodegroup");
    }
}
