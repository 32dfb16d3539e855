//! Words of a shell, quoted; and what only a run knows, as variables.

use std::{
    collections::{BTreeMap, BTreeSet},
    convert::Infallible,
    fmt::Write as _,
};

use serde_json::Value;
use switchback_schemas::{
    StepId,
    name::{ObjectName, ObjectRef},
    plan::{Arguments, BoundObject, Operand, Target},
};

/// Stands before and after the name of a variable. No value of a plan holds it: it is a control character.
const MARK: char = '\u{1}';

/// A word that the shell takes as it is, but for variables.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::new();
    // Every second part is a variable's name.
    for (number, part) in text.split(MARK).enumerate() {
        if number % 2 == 1 {
            // Writing to a String cannot fail.
            let _ = write!(out, "\"${part}\"");
        } else if !part.is_empty() {
            // Brackets and braces are no words of their own to the shell, and are hard to read without quotes.
            match part.contains(['[', ']', '{', '}']) {
                true => {
                    let _ = write!(out, "'{}'", part.replace('\'', r"'\''"));
                }
                false => out.push_str(&shell_words::quote(part)),
            }
        }
    }
    if out.is_empty() { "''".to_owned() } else { out }
}

/// Words of one command.
pub(super) fn words<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    words.into_iter().map(quoted).collect::<Vec<_>>().join(" ")
}

/// JSON as one word. A variable holds JSON itself, so it stands without JSON's quotes.
pub(super) fn json(value: &Value) -> String {
    let text = value.to_string();
    let mark = "\\u0001";
    quoted(&text.replace(&format!("\"{mark}"), "\u{1}").replace(&format!("{mark}\""), "\u{1}"))
}

/// A value as a word: a text without JSON's quotes.
pub(super) fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| json(value), quoted)
}

/// Fills in variables for what only a run knows, and remembers what each stands for.
#[derive(Debug, Default)]
pub(super) struct Variables {
    /// What each variable stands for, by its name.
    meanings: BTreeMap<String, String>,
    /// Variables that the script sets by itself.
    set: BTreeSet<String>,
    /// What a run has captured, by step and name.
    known: BTreeMap<(StepId, String), Value>,
}

impl Variables {
    /// With what a run has captured.
    pub(super) fn with(known: &BTreeMap<(StepId, String), Value>) -> Self {
        Self { known: known.clone(), ..Self::default() }
    }

    /// What has to be known before the script can run, by the name of its variable.
    pub(super) fn asked(&self) -> impl Iterator<Item = (&String, &String)> {
        self.meanings.iter().filter(|(name, _)| !self.set.contains(*name))
    }

    /// The variable of what a step captures, which the script sets from here on.
    pub(super) fn set(&mut self, step: &StepId, name: &str) -> String {
        let name = self.captured(step, name).trim_matches(MARK).to_owned();
        self.set.insert(name.clone());
        name
    }

    fn captured(&mut self, step: &StepId, name: &str) -> String {
        self.variable(name, format!("what step {step} captured as {name} before its effect"))
    }

    fn variable(&mut self, name: &str, meaning: String) -> String {
        let upper = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
        let base: String = name.chars().map(upper).collect();
        let mut name = base.clone();
        let mut number = 1;
        while self.meanings.get(&name).is_some_and(|other| *other != meaning) {
            number += 1;
            name = format!("{base}_{number}");
        }
        self.meanings.insert(name.clone(), meaning);
        format!("{MARK}{name}{MARK}")
    }
}

impl Arguments for Variables {
    type Value = Value;
    type Object = BoundObject;
    // What is not known is no error: it is asked for.
    type Error = Infallible;

    fn value(&mut self, operand: &Operand) -> Result<Value, Infallible> {
        Ok(match operand {
            Operand::Value(value) => value.clone(),
            Operand::Captured { step, name } => match self.known.get(&(step.clone(), name.clone())) {
                Some(value) => value.clone(),
                None => self.captured(step, name).into(),
            },
            Operand::ItemProviderId {} => {
                self.variable("provider_id", "spec.providerID of the node".to_owned()).into()
            }
        })
    }

    fn object(&mut self, target: &Target) -> Result<BoundObject, Infallible> {
        let mut of = |version: &str, kind: &str, variable: &str, meaning: &str| {
            let name = self.variable(variable, meaning.to_owned());
            ObjectRef::new(version, kind, &ObjectName::cluster(name))
        };
        Ok(BoundObject::named(match target {
            Target::Object(object) => object.clone(),
            Target::ItemNode {} => of("v1", "Node", "node", "the name of the node"),
            Target::ItemNodeClaim {} => {
                of("karpenter.sh/v1", "NodeClaim", "nodeclaim", "the name of the node's NodeClaim")
            }
        }))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn words_are_quoted_and_variables_are_not() {
        assert_eq!(words(["kubectl", "get", "it's", ""]), r"kubectl get 'it'\''s' ''");
        assert_eq!(quoted("a\u{1}NODE\u{1}b"), "a\"$NODE\"b");
        let patch = json!([{"op": "add", "path": "/spec/replicas", "value": "\u{1}REPLICAS\u{1}"}]);
        assert_eq!(super::json(&patch), r#"'[{"op":"add","path":"/spec/replicas","value":'"$REPLICAS"'}]'"#);
        assert_eq!((plain(&json!("v1.2")), plain(&json!(3))), ("v1.2".to_owned(), "3".to_owned()));
    }

    #[test]
    fn two_captures_of_one_name_are_two_variables() {
        let mut variables = Variables::default();
        let captured = |step: &str| Operand::Captured {
            step: StepId::new(step).expect("a step"),
            name: "budgets".to_owned(),
        };
        for (step, wanted) in [("a/b@1/c", "BUDGETS"), ("a/b@1/d", "BUDGETS_2"), ("a/b@1/c", "BUDGETS")] {
            let Ok(value) = variables.value(&captured(step));
            assert_eq!(plain(&value), format!("\"${wanted}\""));
        }
        assert_eq!(variables.asked().count(), 2);
        assert_eq!(variables.set(&StepId::new("a/b@1/d").expect("a step"), "budgets"), "BUDGETS_2");
        assert_eq!(variables.asked().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["BUDGETS"]);
        let known = [((StepId::new("a/b@1/c").expect("a step"), "budgets".to_owned()), json!(3))];
        let Ok(value) = Variables::with(&known.into()).value(&captured("a/b@1/c"));
        assert_eq!(value, json!(3));
    }
}
