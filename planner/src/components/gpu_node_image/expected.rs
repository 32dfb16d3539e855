//! The driver that new nodes have, read from them. What an image holds cannot be told from a branch: EKS resolves the version when it
//! builds the image.

use switchback_schemas::{
    Version,
    inventory::Node,
    plan::{FieldTest, Operand, Test},
};

use super::{
    facts::Labels,
    spec::{ExpectedDriver, is_branch},
};
use crate::objects::token;

/// How the driver of a new node is read and compared.
#[derive(Clone)]
pub(super) struct Reading {
    /// The label.
    pub(super) label: String,
    /// What is asked of it.
    pub(super) tests: Vec<FieldTest>,
    /// The same in words.
    pub(super) title: String,
}

/// How the driver of nodes like these can be compared with one that is expected; an error says what is lacking.
pub(super) fn reading(
    nodes: &[&Node],
    expected: &ExpectedDriver,
    labels: &Labels,
) -> Result<Reading, (String, String)> {
    let all_have = |key: &String| !nodes.is_empty() && nodes.iter().all(|node| node.labels.contains_key(key));
    let tests = |key: &String, tests: Vec<Test>| -> Vec<FieldTest> {
        let pointer = format!("/metadata/labels/{}", token(key));
        tests.into_iter().map(|is| FieldTest { pointer: pointer.clone(), is }).collect()
    };
    let title = match expected {
        ExpectedDriver::AtLeast(version) => format!("driver {version} or newer"),
        ExpectedDriver::Branch(branch) => format!("a driver of branch {branch}"),
    };
    if all_have(&labels.full) {
        let asked = match expected {
            ExpectedDriver::AtLeast(version) => vec![Test::VersionAtLeast(version.clone())],
            ExpectedDriver::Branch(branch) => {
                let above = (branch.major() + 1).to_string().parse::<Version>();
                let below = above.ok().map(Test::VersionBelow);
                std::iter::once(Test::VersionAtLeast(branch.clone())).chain(below).collect()
            }
        };
        return Ok(Reading { label: labels.full.clone(), tests: tests(&labels.full, asked), title });
    }
    if !all_have(&labels.branch) {
        return Err((
            format!("nothing says which driver a node has: no label {}", labels.full),
            format!(
                "install GPU feature discovery (chart nvidia-device-plugin with gfd.enabled, or the GPU Operator), and observe again; without \
                 `driver:` the plan says that nobody looks (older releases of it say {})",
                labels.branch
            ),
        ));
    }
    let asked = match expected {
        ExpectedDriver::Branch(branch) => Test::Equals(Operand::Value(branch.as_str().into())),
        ExpectedDriver::AtLeast(version) if is_branch(version) => Test::VersionAtLeast(version.clone()),
        ExpectedDriver::AtLeast(version) => {
            return Err((
                format!(
                    "nodes say the branch of their driver alone, which is not enough for {version} or newer"
                ),
                format!(
                    "expect a branch (`driver: {{branch: '{}'}}`), or install a GPU feature discovery that sets {}",
                    version.major(),
                    labels.full
                ),
            ));
        }
    };
    Ok(Reading { label: labels.branch.clone(), tests: tests(&labels.branch, vec![asked]), title })
}
